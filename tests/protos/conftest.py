"""A Redis of its own for each test of a script."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate_cli.dev.redis_server import RedisServer


@pytest.fixture
async def redis_server() -> AsyncIterator[RedisServer]:
    async with RedisServer() as server:
        yield server
