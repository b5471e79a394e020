"""One tick of a job: who is left alone, who is given up, and what is committed."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job import sizes
from headgate.quota.admission import PLAIN, QuotaVerdict
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate.store.commit import Commit
from headgate_worker.core.model.calls import Call, CreateInstances, Failure, FailureKind, Outcome
from headgate_worker.core.model.steps import apply
from headgate_worker.ports.store import Taken
from headgate_worker.store.jobs import Store
from headgate_worker.ticks.engine import SUSPECT_AGAIN_MS
from tests.worker.submitting import backfill_job, seed_backfill, submit
from tests.worker.ticks.conftest import LEASE_MS, Upstream, engine


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


BREAKS = [RuntimeError("broken"), SystemExit(3), MemoryError(), RecursionError()]


def named(error: BaseException) -> str:
    return type(error).__name__


class Breaking(Upstream):
    """A cloud at which every tick breaks."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        self._raise()

    def _raise(self) -> NoReturn:
        raise self._error


@pytest.mark.parametrize("error", BREAKS, ids=named)
async def test_a_job_that_breaks_every_tick_is_given_back_each_time_and_given_up(
    redis: Redis, error: BaseException
) -> None:
    store = Store(redis, lease_ms=60_000)
    job_id = await submit(store, backfill_job(seed_backfill()))
    driving = await engine(store, Breaking(error))

    for attempts in range(1, 6):
        with pytest.raises(type(error)):
            await driving.tick(job_id)
        assert await redis.hmget(keys.job(job_id), ["att", "lease"]) == [b"%d" % attempts, b"0"]  # type: ignore[misc]
    assert await driving.tick(job_id) is None

    job = await store.load(job_id)
    assert job is not None
    assert job.state == pb.JOB_STATE_FAILED
    assert "5 times in a row" in job.error.message


async def test_a_job_whose_record_is_full_ends_before_it_can_not_be_shown(redis: Redis) -> None:
    store, upstream = Store(redis, lease_ms=60_000), Upstream()
    job = backfill_job(seed_backfill())
    job.backfill.task_parameters = "x" * sizes.END_BYTES
    job_id = await submit(store, job)

    assert await (await engine(store, upstream)).tick(job_id) is None

    ended = await store.load(job_id)
    assert ended is not None and not upstream.calls
    assert ended.state == pb.JOB_STATE_FAILED
    assert "record has" in ended.error.message


class Standing(Upstream):
    """A cloud at which a tick stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        self.reached.set()
        await self.go_on.wait()
        return await super().admit(call, patience_ms=patience_ms)


async def dying(store: Store, deaths: int) -> str:
    """A job whose ticks have died so often."""
    job_id = await submit(store, backfill_job(seed_backfill()))
    for _ in range(deaths):
        taken = await store.begin(job_id)
        assert isinstance(taken, Taken)
        await store.release(job_id, taken.fence, uncount=False)
    return job_id


async def test_jobs_whose_ticks_died_again_and_again_are_not_looked_at_side_by_side(redis: Redis) -> None:
    """Else the innocent would be beside the poisoned each time, since what died together comes again together."""
    store, upstream = Store(redis, lease_ms=60_000), Standing()
    driving = await engine(store, upstream)
    first, second, fresh = [await dying(store, deaths) for deaths in (3, 3, 2)]

    async with asyncio.TaskGroup() as group:
        standing = group.create_task(driving.tick(first))
        await asyncio.wait_for(upstream.reached.wait(), 5)
        assert await driving.tick(second) == SUSPECT_AGAIN_MS
        assert await redis.hmget(keys.job(second), ["att", "lease"]) == [b"3", b"0"]  # type: ignore[misc]
        assert not standing.done()
        upstream.reached.clear()
        others = group.create_task(driving.tick(fresh))  # it died twice: most do that in company
        await asyncio.wait_for(upstream.reached.wait(), 5)
        upstream.go_on.set()
    assert (standing.result(), others.result()) == (None, None)
    assert await driving.tick(second) is None
    assert await redis.hget(keys.job(second), "att") == b"0"  # type: ignore[misc]


async def test_a_job_that_is_gone_or_has_ended_is_left_alone(redis: Redis) -> None:
    store, upstream = Store(redis, lease_ms=60_000), Upstream()
    driving = await engine(store, upstream)
    job_id = await submit(store, backfill_job(seed_backfill()))
    await give_up(store, job_id)
    length = await redis.llen(keys.log(job_id))  # type: ignore[misc]

    assert await driving.tick("nothing") is None
    assert await driving.tick(job_id) is None
    assert not upstream.calls and await redis.llen(keys.log(job_id)) == length  # type: ignore[misc]


async def test_the_entry_of_a_busy_job_comes_again_when_its_lease_ends(redis: Redis) -> None:
    store, upstream = Store(redis, lease_ms=60_000), Upstream()
    job_id = await submit(store, backfill_job(seed_backfill()))
    assert isinstance(await store.begin(job_id), Taken)

    again_ms = await (await engine(store, upstream)).tick(job_id)

    assert again_ms is not None and 0 < again_ms <= 60_000 and not upstream.calls


async def test_a_tick_that_is_cancelled_gives_its_job_back_uncounted(redis: Redis) -> None:
    store, upstream = Store(redis, lease_ms=60_000), Standing()
    job_id = await submit(store, backfill_job(seed_backfill()))
    task = asyncio.create_task((await engine(store, upstream)).tick(job_id))
    await asyncio.wait_for(upstream.reached.wait(), 5)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await redis.hmget(keys.job(job_id), ["att", "lease"]) == [b"0", b"0"]  # type: ignore[misc]


async def test_an_intent_is_on_record_before_its_call_goes_out(redis: Redis) -> None:
    store = Store(redis, lease_ms=60_000)
    job_id = await submit(store, backfill_job(seed_backfill()))
    recorded: list[pb.OperationOutcome.ValueType] = []

    class Watching(Upstream):
        async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
            job = await store.load(job_id)
            assert job is not None
            recorded.extend(operation.outcome for operation in job.operations)
            return await super().call(call, timeout_seconds=timeout_seconds)

    upstream = Watching()
    await (await engine(store, upstream)).tick(job_id)

    assert [type(call) for call in upstream.calls] == [CreateInstances]
    assert recorded == [pb.OPERATION_OUTCOME_INTENDED]
