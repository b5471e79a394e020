"""A round of the reaper: what it counts, what it requeues, and that the new entry is claimed."""

from __future__ import annotations

import asyncio

from prometheus_client import generate_latest
from redis.asyncio import Redis

from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_redis.clock import StoreClock
from headgate_worker.ports.store import Busy, Taken
from headgate_worker.process import metrics
from headgate_worker.queue.leased_worker import LaneOptions, LeasedWorker
from headgate_worker.store.job_checks import SampledJobs
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.reaper import Reaper
from headgate_worker.ticks.sampled_check import SampledCheck
from tests.worker.conftest import eventually
from tests.worker.submitting import backfill_job, seed_backfill, submit


async def reaper(store: Store) -> Reaper:
    async def announce(now_ms: int) -> None:
        return

    clock = StoreClock(await store.now_ms())
    return Reaper(store, clock, SystemJitter(), "1-test", period_seconds=1.0, announce=announce)


async def nothing(job_id: str) -> None:
    return


async def test_late_ticks_are_counted_and_only_lost_ones_are_rung_for(store: Store, redis: Redis) -> None:
    lost, queued = [await submit(store, backfill_job(seed_backfill())) for _ in range(2)]
    wake: bytes = await redis.hget(keys.job(lost), "wake")  # type: ignore[misc]
    await redis.zrem(keys.TICKS, wake)
    await redis.zadd(keys.DUE, {lost: 1, queued: 1})
    found = await reaper(store)

    assert not await found.round()

    assert (found.late, found.requeued) == (2, 1)
    names = [entry.decode().split(":")[1] for entry in await redis.zrange(keys.TICKS, 0, -1)]
    assert sorted(names) == sorted((lost, queued))
    lane = LeasedWorker(redis, redis, {"tick": nothing}, LaneOptions(keys.TICKS, 1), "1-test")
    shown = generate_latest(
        metrics.registry(lane, lane, found, SampledCheck(SampledJobs(redis), SystemJitter(), sample=0))
    ).decode()
    assert "headgate_worker_late_total 2.0" in shown
    assert "headgate_worker_rung_total 1.0" in shown


async def test_a_reaper_that_can_not_reach_the_store_makes_its_worker_cautious(
    store: Store, redis: Redis, redis_server: RedisServer
) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    assert isinstance(await store.begin(job_id), Taken)
    found = await reaper(store)
    rounds = asyncio.create_task(found.run())
    await redis_server.kill()

    async def cautious() -> bool:
        return store.cautious

    await eventually(cautious)
    await redis_server.start()
    await redis.hset(keys.job(job_id), "lease", str(await store.now_ms() - 1))  # type: ignore[misc]

    assert isinstance(await store.begin(job_id), Busy)
    found.stopped = True
    rounds.cancel()


async def test_ids_that_are_no_text_hold_nobody_up(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    wake: bytes = await redis.hget(keys.job(job_id), "wake")  # type: ignore[misc]
    await redis.zrem(keys.TICKS, wake)
    await redis.execute_command("HSET", b"hg:j:\xff", "rev", "1")  # type: ignore[no-untyped-call]
    await redis.execute_command("ZADD", keys.DUE, 1, b"\xff", 2, job_id)  # type: ignore[no-untyped-call]
    await redis.execute_command("ZADD", keys.EXPIRING, 1, b"\xfe")  # type: ignore[no-untyped-call]
    found = await reaper(store)

    assert not await found.round()

    names = [entry.decode().split(":")[1] for entry in await redis.zrange(keys.TICKS, 0, -1)]
    assert names == [job_id]
