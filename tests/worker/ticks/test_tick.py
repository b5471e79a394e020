"""The lease of a tick: it ends with the tick, whatever ends it, and no write goes upstream without it."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys
from headgate.store.commit import Commit, CommitOutcome
from headgate_worker.core.model.calls import WRITES
from headgate_worker.store.jobs import Store
from tests.worker.submitting import backfill_job, seed_backfill, submit
from tests.worker.ticks.conftest import LEASE_MS, Upstream, engine


class AwayStore(Store):
    """Is away for longer than a lease after each commit of an intent."""

    away = False
    taken_meanwhile = False

    async def commit(self, change: Commit) -> CommitOutcome:
        answer = await super().commit(change)
        if any(operation.outcome == pb.OPERATION_OUTCOME_INTENDED for operation in change.job.operations):
            self.away = True
            await asyncio.sleep(1.5 * LEASE_MS / 1000)
            self.away = False
            if self.taken_meanwhile:
                await self.begin(keys.job_id(change.job.name))
        return answer

    async def renew(self, job_id: str, fence: int) -> bool:
        if self.away:
            raise ConnectionResetError
        return await super().renew(job_id, fence)


@pytest.mark.parametrize(("taken", "sent"), [(False, 1), (True, 0)])
async def test_a_lease_that_ended_is_renewed_before_a_write_unless_the_job_was_taken(
    redis: Redis, taken: bool, sent: int
) -> None:
    store = AwayStore(redis, lease_ms=LEASE_MS)
    store.taken_meanwhile = taken
    job_id = await submit(store, backfill_job(seed_backfill()))
    upstream = Upstream()

    async with asyncio.timeout(10):
        await (await engine(store, upstream)).tick(job_id)

    assert sum(type(call) in WRITES for call in upstream.calls) == sent
