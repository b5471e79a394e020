"""A pipeline to a real Redis, as a server's adapters have one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate_redis.pipeline import Pipeline
from headgate_server.store.connections import RedisLink


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    made = RedisLink(redis_url, timeout=3.0)
    yield made
    await made.close()


@pytest.fixture
async def pipeline(link: RedisLink) -> AsyncIterator[Pipeline]:
    made = Pipeline(link.connection, timeout=3.0)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
def redis(link: RedisLink) -> Any:
    return link.client
