"""A client of a real server on a real Redis."""

from collections.abc import AsyncIterator

import pytest

from headgate_cli.dev.redis_server import RedisServer
from headgate_client import Client
from tests.server.world import World, serving


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with RedisServer() as redis, serving(redis.url, watch_poll_min=0.1, watch_poll_max=0.3) as found:
        yield found


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with Client(world.address) as found:
        yield found
