"""A script is sent by its digest, and in full when Redis has forgotten it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import ConnectionPool

from headgate_cli.dev.redis_server import RedisServer
from headgate_redis.pipeline import Pipeline
from headgate_redis.script import Script


@pytest.fixture
async def pipeline(redis_server: RedisServer) -> AsyncIterator[Pipeline]:
    pool = ConnectionPool.from_url(redis_server.url)
    made = Pipeline(pool.make_connection, timeout=3.0)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.wait([task])


async def sent(pipeline: Pipeline) -> dict[str, int]:
    raw: Any = await pipeline.call(("INFO", "commandstats"))
    rows = [line.split(":") for line in raw.decode().splitlines() if line.startswith("cmdstat_eval")]
    return {name.removeprefix("cmdstat_"): int(stats.split(",")[0].removeprefix("calls=")) for name, stats in rows}


async def test_a_script_goes_in_full_once(pipeline: Pipeline) -> None:
    script = Script("return {KEYS[1], ARGV[1]}")

    answers = [await script.run(pipeline, ["k"], [7]) for _ in range(3)]

    assert answers == [[b"k", b"7"]] * 3
    assert await sent(pipeline) == {"evalsha": 3, "eval": 1}


async def test_a_script_that_redis_has_forgotten_goes_in_full_again(pipeline: Pipeline) -> None:
    script = Script("return 5")
    await script.run(pipeline)
    await pipeline.call(("SCRIPT", "FLUSH"))

    assert await script.run(pipeline) == 5
