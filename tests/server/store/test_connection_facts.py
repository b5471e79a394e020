"""What Redis says of workers and quota, read in one moment."""

from typing import Any

from headgate.quota import limits
from headgate.store import keys
from headgate_redis.clock import StoreClock
from headgate_redis.pipeline import Pipeline
from headgate_server.store.connection_facts import RedisFacts


async def test_a_store_without_workers_and_quota_tells_its_time_alone(pipeline: Pipeline, redis: Any) -> None:
    clock = StoreClock()

    found = await RedisFacts(pipeline, clock).facts("orders")

    seconds, _ = await redis.time()
    assert abs(found.now_ms / 1_000 - seconds) < 5 and abs(clock.now_ms() - found.now_ms) < 5_000
    assert (found.worker_seen_ms, found.quota) == (None, {})


async def test_the_last_heartbeat_and_the_quota_of_the_connection_are_told(pipeline: Pipeline, redis: Any) -> None:
    await redis.zadd(keys.WORKERS, {"a": 1_000, "b": 2_000})
    await redis.hset(keys.quota("orders"), mapping={"edition": "BASIC"})
    await redis.hset(keys.quota("sales"), mapping={"edition": "PROFESSIONAL"})

    found = await RedisFacts(pipeline, StoreClock()).facts("orders")

    assert found.worker_seen_ms == 2_000 and found.quota == {"edition": "BASIC"}


async def test_another_name_of_a_connection_has_the_same_quota(pipeline: Pipeline, redis: Any) -> None:
    await redis.hset(keys.quota(""), mapping={limits.ALIAS: "main"})
    await redis.hset(keys.quota("main"), mapping={"edition": "BASIC"})

    assert (await RedisFacts(pipeline, StoreClock()).facts("")).quota == {"edition": "BASIC"}
