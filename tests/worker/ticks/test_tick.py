"""The lease of a tick: it ends with the tick, whatever ends it, and no write goes upstream without it."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.quota.admission import PLAIN, Go, QuotaVerdict
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate.store.commit import Commit, CommitOutcome
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import WRITES, Call, Failure, FailureKind, Outcome
from headgate_worker.core.model.steps import apply
from headgate_worker.core.model.view import Policy
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.engine import Engine
from headgate_worker.ticks.tick import TickLimits
from tests.worker.submitting import backfill_job, seed_backfill, submit

LEASE_MS = 400


class Upstream:
    """A cloud that refuses every call and notes it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def get(self, connection: str) -> Upstream:
        return self

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        return Go()

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        self.calls.append(call)
        return Failure(FailureKind.TRANSIENT, "Busy", "try again")

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """It can be reached."""
        return None

    async def aclose(self) -> None:
        return


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


async def engine(store: Store, upstream: Upstream) -> Engine:
    clock = StoreClock(await store.now_ms())
    return Engine(store, upstream, clock, SystemJitter(), policy=Policy(), limits=TickLimits())


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


async def test_what_comes_back_for_a_job_that_was_given_up_meanwhile_changes_nothing(redis: Redis) -> None:
    """Found by seed 706740: an ended job can't be moved to NEEDS_ATTENTION by a reply that comes late."""
    store = Store(redis, lease_ms=LEASE_MS)
    job_id = await submit(store, backfill_job(seed_backfill()))

    class GivenUp(Upstream):
        async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
            await give_up(store, job_id)
            return Failure(FailureKind.AMBIGUOUS, "timed_out", "nobody knows")

    await (await engine(store, GivenUp())).tick(job_id)

    job = await store.load(job_id)
    assert job is not None
    last = pb.JobEvent.FromString(await redis.lindex(keys.log(job_id), -1))  # type: ignore[misc]
    assert (job.state, last.type) == (pb.JOB_STATE_FAILED, pb.EVENT_TYPE_RESOLVED)


async def give_up(store: Store, job_id: str) -> None:
    """End the job as a caller does who resolves it."""
    before = await store.load(job_id)
    assert before is not None
    draft = pb.JobEvent(type=pb.EVENT_TYPE_RESOLVED, state=pb.JOB_STATE_FAILED)
    job, (event,) = apply(before, (draft,), now_ms=await store.now_ms())
    await store.commit(Commit(before.state, job, before.revision, (event.SerializeToString(),)))
