"""Who stopped a date, on real parts: a stop of another job is known to the one that follows it."""

from __future__ import annotations

from redis.asyncio import Redis

from headgate import keys, pb
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import RunFor
from headgate_worker.core.calls import StopRecord
from headgate_worker.settings import Settings
from headgate_worker.stops import Stops
from headgate_worker.store import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.submitting import backfill_job, new_job, seed_backfill, submit
from tests.worker.test_backfill import ended

STOP = StopRecord("jobs/other", 1_000)


async def test_a_stop_is_on_record_from_before_it_is_sent_until_it_is_refused(redis: Redis) -> None:
    stops = Stops(redis)
    await stops.record("eu", [7, 8, "flow-9"], STOP)
    assert await stops.of("eu", 8) == (STOP,)
    assert await stops.of("", 8) == ()

    await stops.answered("eu", {7: True, 8: False}, STOP)
    assert await stops.of("eu", 7) == (StopRecord("jobs/other", 1_000, accepted=True),)
    assert await stops.of("eu", 8) == ()
    assert await stops.of("eu", "flow-9") == (STOP,)
    assert 0 < await redis.pttl(keys.stops("eu", 7)) <= 24 * 3600 * 1000


async def test_a_later_stop_that_is_refused_leaves_the_earlier_one(redis: Redis) -> None:
    stops, later = Stops(redis), StopRecord("jobs/other", 2_000)
    await stops.record("eu", [7], STOP)
    await stops.record("eu", [7], later)
    await stops.answered("eu", {7: False}, later)

    assert await stops.of("eu", 7) == (STOP,)


async def test_what_is_no_record_is_left_out(redis: Redis) -> None:
    await redis.hset(keys.stops("eu", 7), mapping={b"\xff": b"", b"jobs/a": b"1", b"jobs/a b": b"1"})  # type: ignore[misc]

    assert await Stops(redis).of("eu", 7) == ()


async def test_a_date_that_another_job_stops_is_stopped_and_names_that_job(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.faults.add([RunFor(seconds=600)])
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(seed_backfill()))
        instance_id = await running(store, job_id)
        named = pb.InstanceRun(
            workflow_instance_id=instance_id, state=pb.RUN_STATE_CREATED, attempt=1, operation_index=-1
        )
        spec = pb.StopWorkflowInstancesSpec(ids=[instance_id])
        stop = await submit(store, new_job(stop=spec, runs=[named], until=pb.UNTIL_FINISHED))
        stopped, job = await ended(store, stop), await ended(store, job_id)

    assert stopped.state == pb.JOB_STATE_SUCCEEDED
    assert (stopped.runs[0].state, stopped.runs[0].stopped_by) == (pb.RUN_STATE_STOPPED, pb.STOPPED_BY_HEADGATE)
    first = job.runs[0]
    assert (first.state, first.stopped_by) == (pb.RUN_STATE_STOPPED, pb.STOPPED_BY_ANOTHER_JOB), job
    assert first.stopped_by_job == stopped.name
    assert not first.HasField("failure_digest")
    assert job.state == pb.JOB_STATE_FAILED
    assert f"stopped by {stopped.name}" in job.error.message
    assert job.runs[1].state == pb.RUN_STATE_SKIPPED  # on_failure is HALT


async def running(store: Store, job_id: str) -> int:
    """The instance of the job's first date, once it runs."""
    found: list[int] = []

    async def runs() -> bool:
        job = await store.load(job_id)
        found[:] = [run.workflow_instance_id for run in job.runs if run.state == pb.RUN_STATE_RUNNING] if job else []
        return bool(found)

    await eventually(runs)
    return found[0]
