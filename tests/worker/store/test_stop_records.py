"""Who stopped a date, on real parts: a stop of another job is known to the one that follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import FailRun, Latency, RunFor
from headgate_worker.core.model.calls import StopRecord
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from headgate_worker.store.stop_records import Stops
from tests.worker.conftest import RunWorker, eventually
from tests.worker.scenarios.test_backfill import ended
from tests.worker.submitting import backfill_job, days, new_job, seed_backfill, submit

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


@pytest.mark.parametrize("shows_user", [True, False])
async def test_a_date_that_a_person_stops_is_stopped_where_upstream_shows_who(
    store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker, *, shows_user: bool
) -> None:
    """Without ModifyUser it can't be told from one that has failed, and no digest is made up for it."""
    emulator.faults.add([RunFor(seconds=600)])
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(seed_backfill()))
        instance_id = await running(store, job_id)
        await meddle(emulator, action="stop", ids=[instance_id], shows_user=shows_user)
        job = await ended(store, job_id)

    by = (pb.RUN_STATE_STOPPED, pb.STOPPED_BY_OPERATOR) if shows_user else (pb.RUN_STATE_FAILED, 0)
    assert (job.runs[0].state, job.runs[0].stopped_by) == by
    assert job.runs[1].state == pb.RUN_STATE_SKIPPED
    assert job.state == pb.JOB_STATE_FAILED


async def test_what_upstream_starts_at_any_end_runs_to_its_end_in_a_halt(
    store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    """Each read takes its time, so that the next date begins before the failure is known."""
    emulator.world.rules = replace(emulator.world.rules, auto_start="any_end", run_seconds=2.0)
    emulator.faults.add(
        [FailRun(biz_date=date(2025, 2, 5)), Latency(action="GetWorkflowInstance", millis=300, count=100)]
    )
    spec = seed_backfill()
    del spec.biz_dates[:]
    spec.biz_dates.extend(days("2025-02-05", "2025-02-07"))
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(spec)))

    assert [run.state for run in job.runs] == [
        pb.RUN_STATE_FAILED,
        pb.RUN_STATE_SUCCEEDED,
        pb.RUN_STATE_SKIPPED,
    ], job
    assert [run.started_by for run in job.runs] == [pb.STARTED_BY_HEADGATE, pb.STARTED_BY_UPSTREAM, 0]


async def test_an_ad_hoc_run_succeeds_under_another_date_than_the_one_that_was_sent(
    store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.world.rules = replace(emulator.world.rules, adhoc_biz_date_days=-1)
    task = pb.AdhocTask(
        client_unique_code="t1", name="n", type="ODPS_SQL", owner="1", script_content="select 1", resource_group_id="g"
    )
    sent = dates.to_message(date(2025, 2, 5))
    spec = pb.ExecuteAdhocWorkflowInstanceSpec(project_id=257880, name="adhoc1", owner="1", tasks=[task], biz_date=sent)
    run = pb.InstanceRun(state=pb.RUN_STATE_PLANNED, attempt=1, operation_index=-1, biz_date=sent)
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, new_job(adhoc=spec, runs=[run])))

    assert job.state == pb.JOB_STATE_SUCCEEDED, job
    assert [(run.state, run.biz_date.day) for run in job.runs] == [(pb.RUN_STATE_SUCCEEDED, 4)]


async def meddle(emulator: RunningEmulator, **change: object) -> None:
    """Do something in the emulator's console."""
    async with ClientSession() as session, session.post(f"{emulator.url}/_admin/foreign", json=change) as reply:
        assert reply.status == 200, await reply.text()


async def running(store: Store, job_id: str) -> int:
    """The instance of the job's first date, once it runs."""
    found: list[int] = []

    async def runs() -> bool:
        job = await store.load(job_id)
        found[:] = [run.workflow_instance_id for run in job.runs if run.state == pb.RUN_STATE_RUNNING] if job else []
        return bool(found)

    await eventually(runs)
    return found[0]
