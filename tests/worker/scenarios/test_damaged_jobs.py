"""A job that can't be read, or not be written: it is tried some times, then given up, and no other job feels it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys
from headgate.store.commit import Commit, Committed, Damaged
from headgate.store.date_claims import hold_of
from headgate_worker.core.model.steps import apply
from headgate_worker.ports.store import Unreadable
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from headgate_worker.ticks.engine import GIVEN_UP_AFTER, Engine
from headgate_worker.ticks.tick import TickLimits, hold_at
from tests.worker.conftest import RunWorker, eventually
from tests.worker.submitting import backfill_job, seed_backfill, submit
from tests.worker.ticks.conftest import Upstream, engine
from tests.worker.ticks.test_reaper import reaper

pytestmark = pytest.mark.slow

Harm = Callable[[Any, str], Awaitable[Any]]

RUBBISH: Final = b"\xff\xff this is no message \xff"

MOST_TICKS: Final = 2 + GIVEN_UP_AFTER * TickLimits().attempts


async def spoil_snapshot(redis: Any, job_id: str) -> None:
    await redis.hset(keys.job(job_id), "snap", RUBBISH)


async def spoil_first_event(redis: Any, job_id: str) -> None:
    await redis.lset(keys.log(job_id), 0, RUBBISH)


async def have_another_jobs_snapshot(redis: Any, job_id: str) -> None:
    await redis.hset(keys.job(job_id), "snap", pb.Job(name="jobs/somebody").SerializeToString())


async def be_a_string(redis: Any, job_id: str) -> None:
    await redis.set(keys.job(job_id), "no job")


async def have_a_log_of_another_type(redis: Any, job_id: str) -> None:
    event = pb.JobEvent.FromString(await redis.lindex(keys.log(job_id), 0))
    await redis.hset(keys.job(job_id), "snap", event.job.SerializeToString())
    await redis.set(keys.log(job_id), "no log")


async def have_a_longer_log(redis: Any, job_id: str) -> None:
    await redis.rpush(keys.log(job_id), RUBBISH)


async def have_no_number_for_a_revision(redis: Any, job_id: str) -> None:
    await redis.hset(keys.job(job_id), "rev", "many")


async def have_a_fence_that_is_no_number(redis: Any, job_id: str) -> None:
    await redis.hset(keys.job(job_id), "fence", "high")


async def have_a_lease_that_is_no_number(redis: Any, job_id: str) -> None:
    await redis.hset(keys.job(job_id), "lease", "long")


HARMS: Final[dict[str, Harm]] = {
    harm.__name__: harm
    for harm in (
        spoil_snapshot,
        spoil_first_event,
        have_another_jobs_snapshot,
        be_a_string,
        have_a_log_of_another_type,
        have_a_longer_log,
        have_no_number_for_a_revision,
        have_a_fence_that_is_no_number,
        have_a_lease_that_is_no_number,
    )
}


@pytest.fixture(params=HARMS)
def harm(request: pytest.FixtureRequest) -> Harm:
    return HARMS[request.param]


async def ticks_until_given_up(redis: Any, driving: Engine, job_id: str) -> int:
    """Look at a job again and again, as its entries and the reaper have it; how often that was."""
    for number in range(1, MOST_TICKS + 1):
        await driving.tick(job_id)
        if await redis.zscore(keys.DAMAGED, job_id) is not None:
            return number
    raise AssertionError(f"looked at {MOST_TICKS} times and not given up")


async def test_a_job_that_can_not_be_read_or_written_is_given_up(redis: Redis, harm: Harm) -> None:
    store = Store(redis, lease_ms=60_000)
    driving = await engine(store, Upstream())
    job_id = await submit(store, backfill_job(seed_backfill()))
    await harm(redis, job_id)

    assert 1 <= await ticks_until_given_up(redis, driving, job_id) <= MOST_TICKS

    assert store.given_up == 1
    assert await redis.zscore(keys.DUE, job_id) is None
    if harm is not be_a_string:
        assert await redis.hmget(keys.job(job_id), ["bad", "lease", "wake"]) == [b"1", b"0", None]  # type: ignore[misc]
        assert not [entry for entry in await redis.zrange(keys.TICKS, 0, -1) if job_id.encode() in entry]


async def test_a_job_that_can_not_be_read_has_as_many_tries_as_one_that_breaks(redis: Redis) -> None:
    store = Store(redis, lease_ms=60_000)
    job_id = await submit(store, backfill_job(seed_backfill()))
    await spoil_snapshot(redis, job_id)

    assert await ticks_until_given_up(redis, await engine(store, Upstream()), job_id) == TickLimits().attempts + 1


async def test_a_job_that_can_be_read_again_goes_on(redis: Redis) -> None:
    store, upstream = Store(redis, lease_ms=60_000), Upstream()
    driving = await engine(store, upstream)
    job_id = await submit(store, backfill_job(seed_backfill()))
    await spoil_snapshot(redis, job_id)
    for _ in range(TickLimits().attempts - 1):
        await driving.tick(job_id)

    await redis.hdel(keys.job(job_id), "snap")  # type: ignore[misc]
    await driving.tick(job_id)

    assert upstream.calls
    assert await redis.zscore(keys.DAMAGED, job_id) is None


async def test_no_worker_gives_up_a_job_that_another_has_by_now(redis: Redis) -> None:
    store = Store(redis, lease_ms=60_000)
    job_id = await submit(store, backfill_job(seed_backfill()))
    await spoil_snapshot(redis, job_id)
    taken = await store.begin(job_id)
    assert isinstance(taken, Unreadable) and taken.fence is not None
    await redis.hincrby(keys.job(job_id), "fence", 1)  # type: ignore[misc]

    await store.give_up(job_id, taken.fence)

    assert store.given_up == 0
    assert await redis.zscore(keys.DUE, job_id) is not None


async def test_good_jobs_beside_a_damaged_one_come_to_their_end(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    broken = [await submit(store, backfill_job(seed_backfill())) for _ in range(3)]
    for job_id, harm in zip(broken, (spoil_snapshot, spoil_first_event, be_a_string), strict=True):
        await harm(redis, job_id)
    good = [await submit(store, backfill_job(seed_backfill())) for _ in range(3)]

    async def ended() -> bool:
        jobs = [await store.load(job_id) for job_id in good]
        return all(job is not None and job.state == pb.JOB_STATE_SUCCEEDED for job in jobs)

    async def given_up() -> bool:
        return (await redis.zcard(keys.DAMAGED), await redis.zcard(keys.TICKS)) == (len(broken), 0)

    async with run_worker(worker_settings):
        await eventually(ended, seconds=60)
        await eventually(given_up, seconds=60)

    assert await redis.zcard(keys.DUE) == 0


async def test_a_late_row_that_is_no_job_keeps_no_other_from_being_rung_for(store: Store, redis: Redis) -> None:
    broken, lost, gone, leased = [await submit(store, backfill_job(seed_backfill())) for _ in range(4)]
    await be_a_string(redis, broken)
    await have_a_lease_that_is_no_number(redis, leased)
    await redis.delete(keys.job(gone))
    await redis.zrem(keys.TICKS, await redis.hget(keys.job(lost), "wake"))  # type: ignore[misc]
    await redis.zadd(keys.DUE, {broken: 1, leased: 1, lost: 2, gone: 3})
    found = await reaper(store)

    await found.round()
    await found.round()

    assert found.requeued == 1
    assert {member async for member, _ in redis.zscan_iter(keys.DUE)} == {lost.encode(), leased.encode()}
    assert await redis.zrange(keys.DAMAGED, 0, -1) == [broken.encode()]


async def lose_the_revision(redis: Any, job_id: str) -> None:
    await redis.hdel(keys.job(job_id), "rev")


async def have_no_state(redis: Any, job_id: str) -> None:
    await redis.hset(keys.job(job_id), "st", RUBBISH)


@pytest.mark.parametrize("expired", [*HARMS.values(), lose_the_revision, have_no_state], ids=lambda harm: harm.__name__)
async def test_what_has_expired_is_deleted_though_it_can_not_be_read(store: Store, redis: Redis, expired: Harm) -> None:
    broken, good = [await ended(store) for _ in range(2)]
    await expired(redis, broken)
    await redis.zadd(keys.EXPIRING, {broken: 1, good: 2})
    found = await reaper(store)

    await found.round()

    assert not await redis.exists(keys.job(broken), keys.log(broken), keys.job(good), keys.log(good))
    assert await redis.zcard(keys.EXPIRING) == await redis.zcard(keys.JOBS) == 0
    assert await redis.zscore(keys.WORKERS, "1-test") is not None, "the round came to its end"


async def ended(store: Store) -> str:
    """A job that has failed."""
    job_id = await submit(store, backfill_job(seed_backfill()))
    await end(store, job_id)
    return job_id


async def end(store: Store, job_id: str) -> None:
    before = await store.load(job_id)
    assert before is not None
    draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_FAILED)
    job, (event,) = apply(before, (draft,), now_ms=await store.now_ms())
    assert job.state in JOB_TERMINAL
    change = Commit(before.state, job, before.revision, (event.SerializeToString(),), hold=hold_at(before, job))
    assert isinstance(await store.commit(change), Committed)


async def test_dates_are_given_back_although_one_in_line_is_no_job(store: Store, redis: Redis) -> None:
    job = backfill_job(seed_backfill(overlap=pb.OVERLAP_REJECT))
    first, broken = await submit(store, job), await submit(store, backfill_job(seed_backfill()))
    held = hold_of(job)
    assert held is not None
    holders, line, wants = held.keys()[:3]
    await redis.zadd(line, {broken: 9})
    await redis.hset(wants, broken, ",".join(held.days))  # type: ignore[misc]
    await be_a_string(redis, broken)

    await end(store, first)

    assert await redis.zscore(keys.EXPIRING, first) is not None
    assert not await redis.exists(holders)


async def test_a_commit_to_what_is_no_log_says_that_it_is_damaged(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    before = await store.load(job_id)
    assert before is not None
    await redis.set(keys.log(job_id), "no log")

    answer = await store.commit(Commit(before.state, before, 1, ()))

    assert isinstance(answer, Damaged)
