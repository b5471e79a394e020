"""The lease of a tick while it lasts: renewed, and the tick cut off where it is lost."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from headgate.quota.admission import PLAIN, QuotaVerdict
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate_worker.core.model.calls import Call
from headgate_worker.store.jobs import Store
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
