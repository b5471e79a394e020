"""What jobs are charged is counted anew now and then, a few jobs at a time, while charges go on."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.store import charges, keys
from headgate.store.commit import Commit, Committed
from headgate_worker.core.model.steps import apply
from headgate_worker.ports.store import Taken
from headgate_worker.store import jobs as store_module
from headgate_worker.store.jobs import Store
from tests.worker.submitting import backfill_job, seed_backfill, submit

RUNNING = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_RUNNING)
SUCCEEDED = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_SUCCEEDED)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RECOUNTED_JOBS", 2)


async def new(store: Store, creator: str, connection: str = "") -> str:
    return await submit(store, backfill_job(seed_backfill(), creator=creator, connection=connection))


async def finish_and_delete(store: Store, redis: Redis, job_id: str) -> None:
    taken = await store.begin(job_id)
    assert isinstance(taken, Taken)
    job, events = apply(taken.job, (RUNNING, SUCCEEDED), now_ms=taken.now_ms)
    bodies = tuple(event.SerializeToString() for event in events)
    change = Commit(taken.job.state, job, taken.job.revision, bodies, taken.fence, lease_ms=0)
    assert isinstance(await store.commit(change), Committed)
    await redis.zadd(keys.EXPIRING, {job_id: 1})
    assert await store.delete_expired(job_id)


async def charged(redis: Redis) -> dict[str, int]:
    found = await redis.hgetall(keys.STORED)  # type: ignore[misc]
    return {field.decode(): int(value) for field, value in found.items()}


async def recount(store: Store, redis: Redis) -> int:
    """Counts everything anew; in how many steps."""
    await redis.delete(keys.RECOUNTED)
    steps = 1
    while await store.recount():
        steps += 1
    return steps


async def test_a_count_of_everything_finds_what_was_charged(store: Store, redis: Redis) -> None:
    for creator, connection in (("alice", ""), ("alice", "eu"), ("bob", "eu"), ("bob", "")):
        await new(store, creator, connection)
    before = await charged(redis)
    assert before["jobs caller:alice"] == 2 and before["jobs connection:eu"] == 2

    assert await recount(store, redis) == 3
    assert await charged(redis) == before
    assert not await redis.exists(keys.RECOUNT)


async def test_drift_is_mended(store: Store, redis: Redis) -> None:
    await new(store, "alice")
    right = await charged(redis)
    await redis.hset(keys.STORED, mapping={"jobs caller:alice": 70, "jobs caller:gone": 3})  # type: ignore[misc]

    await recount(store, redis)
    assert await charged(redis) == right


async def test_charges_that_change_behind_and_before_the_count_are_right_at_its_end(store: Store, redis: Redis) -> None:
    jobs = [await new(store, "alice") for _ in range(6)]
    assert await store.recount()  # has passed the first two
    await finish_and_delete(store, redis, jobs[0])
    await finish_and_delete(store, redis, jobs[5])
    added = [await new(store, "bob") for _ in range(3)]
    while await store.recount():
        pass

    found = await charged(redis)
    assert (found["jobs caller:alice"], found["jobs caller:bob"]) == (4, 3)
    await recount(store, redis)
    assert await charged(redis) == found
    for job_id in (*jobs[1:5], *added):
        await finish_and_delete(store, redis, job_id)
    assert await charged(redis) == {}


async def test_the_next_count_waits(store: Store, redis: Redis) -> None:
    await new(store, "alice")
    await recount(store, redis)
    await redis.hset(keys.STORED, "jobs caller:alice", "70")  # type: ignore[misc]

    assert not await store.recount()
    assert (await charged(redis))["jobs caller:alice"] == 70
    assert 0 < await redis.pttl(keys.RECOUNTED) <= charges.RECOUNT_EVERY_MS


async def test_without_jobs_nothing_is_charged(store: Store, redis: Redis) -> None:
    await redis.hset(keys.STORED, "jobs caller:gone", "3")  # type: ignore[misc]
    await recount(store, redis)
    assert await charged(redis) == {}
