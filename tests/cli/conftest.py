"""Servers that commands are run against: a real one on a Redis of its own, and one that answers as a script says."""

from collections.abc import AsyncIterator

import pytest

from headgate_cli.dev.redis_server import RedisServer
from tests.client.scripted import Running, serve
from tests.server.world import World, serving


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with RedisServer() as redis, serving(redis.url, watch_poll_min=0.1, watch_poll_max=0.3) as found:
        yield found


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serve() as server:
        yield server
