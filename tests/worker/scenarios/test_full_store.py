"""A store whose memory is used up still lets workers bring jobs to their end, and delete what has expired."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from headgate import pb
from headgate.store import commit, keys, queue_entries
from headgate.store.commit import Commit, Committed, Wake
from headgate_worker.core.model.steps import apply
from headgate_worker.ports.store import Busy, Taken
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.submitting import backfill_job, cancel, new_job, seed_backfill, submit

WARNING = pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message="w")


async def make_full(redis: Redis) -> None:
    await redis.config_set("maxmemory", "100kb")
    with pytest.raises((OutOfMemoryError, ResponseError)):
        await redis.set("more", "than there is")


async def test_a_tick_does_all_of_its_writes(store: Store, redis: Redis) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    await make_full(redis)

    taken = await store.begin(job_id)
    assert isinstance(taken, Taken)
    assert isinstance(await store.begin(job_id), Busy)
    assert await store.renew(job_id, taken.fence)
    job, events = apply(taken.job, (WARNING,), now_ms=taken.now_ms)
    tick = queue_entries.tick(job_id, nonce="0123456789ab", now_ms=taken.now_ms)
    bodies = tuple(event.SerializeToString() for event in events)
    change = Commit(taken.job.state, job, 1, bodies, taken.fence, wake=Wake(tick), lease_ms=0)
    assert isinstance(await store.commit(change), Committed)
    await store.release(job_id, taken.fence, uncount=False)
    await store.put_durations("target", [1, 2])
    await store.put_observation("", pb.FlowInstance(instance_id="f"), follow_ms=1_000)
    await store.heartbeat("w", 1, lifetime_ms=1)
    assert await store.durations("target") == (1, 2)


async def test_a_new_job_is_refused_before_anything_is_written(store: Store, redis: Redis) -> None:
    await redis.config_set("maxmemory", "100kb")
    made = backfill_job(seed_backfill())
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=made.state, job=made)
    change = Commit(pb.JOB_STATE_UNSPECIFIED, made, 0, (event.SerializeToString(),))
    script = redis.register_script(commit.SCRIPT)
    with pytest.raises((OutOfMemoryError, ResponseError)):
        await script(keys=commit.script_keys(change), args=commit.script_arguments(change))
    assert await redis.dbsize() == 0


async def test_jobs_run_to_their_ends_and_cancels_are_done(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    runs = await submit(store, backfill_job(seed_backfill(), creator="alice"))
    cancelled = new_job(backfill=seed_backfill(), creator="alice")
    dropped = await submit(store, cancelled)
    found = await store.load(dropped)
    assert found is not None
    await cancel(store, found)
    await make_full(redis)

    async with run_worker(worker_settings):
        await eventually(lambda: has_state(store, runs, pb.JOB_STATE_SUCCEEDED))
        await eventually(lambda: has_state(store, dropped, pb.JOB_STATE_CANCELLED))


async def test_what_has_expired_is_deleted(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    job_id = await submit(store, backfill_job(seed_backfill(), creator="alice"))
    async with run_worker(worker_settings):
        await eventually(lambda: has_state(store, job_id, pb.JOB_STATE_SUCCEEDED))
        await make_full(redis)
        await expire(redis, job_id)
        await eventually(lambda: is_gone(redis, job_id))

    assert await redis.hgetall(keys.STORED) == {}  # type: ignore[misc]


async def expire(redis: Redis, job_id: str) -> None:
    """Make the job expire now; a score that is there already needs no memory."""
    await redis.eval(
        "redis.call('ZREM', KEYS[1], '') redis.call('ZADD', KEYS[1], 1, ARGV[1])", 1, keys.EXPIRING, job_id
    )  # type: ignore[misc]


async def has_state(store: Store, job_id: str, state: pb.JobState.ValueType) -> bool:
    job = await store.load(job_id)
    return job is not None and job.state == state


async def is_gone(redis: Redis, job_id: str) -> bool:
    left: int = await redis.exists(keys.job(job_id), keys.log(job_id))
    return left == 0
