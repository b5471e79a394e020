"""The lease of a tick while it lasts: renewed, and the tick cut off where it is lost."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from headgate.quota.admission import PLAIN, QuotaVerdict
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import Call
from headgate_worker.ports.store import Taken
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.lease_keeper import LeaseKeeper
from headgate_worker.ticks.tick import LeaseLost, Tick, no_checkpoint
from tests.worker.conftest import eventually
from tests.worker.submitting import backfill_job, seed_backfill, submit
from tests.worker.ticks.conftest import LEASE_MS, Upstream, engine


class DeafStore(Store):
    """Loses a cancellation that comes while it renews, as redis-py does on Python 3.11 when an answer comes with it."""

    renewing: asyncio.Event
    renewals = 0

    async def renew(self, job_id: str, fence: int) -> bool:
        self.renewals += 1
        self.renewing.set()
        if self.renewals > 1:
            raise AssertionError("renewed after the tick was over")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return await super().renew(job_id, fence)
        return True


async def lease_of(redis: Redis, job_id: str) -> int:
    return int(float(await redis.hget(keys.job(job_id), "lease") or 0))  # type: ignore[misc]


async def test_a_tick_that_breaks_gives_the_job_back_even_when_its_keeper_misses_the_cancellation(
    redis: Redis,
) -> None:
    store = DeafStore(redis, lease_ms=LEASE_MS)
    store.renewing = asyncio.Event()
    job_id = await submit(store, backfill_job(seed_backfill()))

    class Broken(Upstream):
        async def admit(
            self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
        ) -> QuotaVerdict:
            await store.renewing.wait()
            raise ConnectionResetError

    async with asyncio.timeout(5):
        with pytest.raises(ConnectionResetError):
            await (await engine(store, Broken())).tick(job_id)

    assert await lease_of(redis, job_id) == 0


async def taken(redis: Redis, store: Store) -> Tick:
    """A tick that has a job."""
    job_id = await submit(store, backfill_job(seed_backfill()))
    lease = await store.begin(job_id)
    assert isinstance(lease, Taken)
    clock = StoreClock(await store.now_ms())
    return Tick(store, clock, SystemJitter(), lease, clock.monotonic(), no_checkpoint)


async def test_a_tick_that_lasts_keeps_its_lease(redis: Redis) -> None:
    store = Store(redis, lease_ms=LEASE_MS)
    tick = await taken(redis, store)
    first = await lease_of(redis, tick.job_id)

    async def renewed() -> bool:
        return await lease_of(redis, tick.job_id) > first

    async with LeaseKeeper(tick, LEASE_MS / 3000):
        await eventually(renewed)
    assert tick.over


async def test_a_short_tick_renews_nothing(redis: Redis) -> None:
    store = Store(redis, lease_ms=60_000)
    tick = await taken(redis, store)
    first = await lease_of(redis, tick.job_id)

    async with LeaseKeeper(tick, 30):
        pass
    assert tick.over and await lease_of(redis, tick.job_id) == first


async def test_a_tick_whose_job_was_taken_is_cut_off(redis: Redis) -> None:
    store = Store(redis, lease_ms=60_000)
    tick = await taken(redis, store)
    await redis.hincrby(keys.job(tick.job_id), "fence", 1)  # type: ignore[misc]

    async with asyncio.timeout(10):
        with pytest.raises(LeaseLost):
            async with LeaseKeeper(tick, 0):
                await asyncio.Event().wait()


async def test_a_tick_that_is_cancelled_from_outside_ends_so(redis: Redis) -> None:
    store = Store(redis, lease_ms=60_000)
    tick = await taken(redis, store)
    inside = asyncio.Event()

    async def body() -> None:
        async with LeaseKeeper(tick, 0):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tick.over


async def test_what_breaks_a_tick_comes_through(redis: Redis) -> None:
    store = Store(redis, lease_ms=60_000)
    tick = await taken(redis, store)

    with pytest.raises(ZeroDivisionError):
        async with LeaseKeeper(tick, 0):
            raise ZeroDivisionError
