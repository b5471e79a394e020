"""A whole backfill, worker and emulator over real HTTP, Redis in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill.reprocess import is_left_alone
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys
from headgate.store.date_claims import hold_of
from headgate_emulator.app import RunningEmulator
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.submitting import backfill_job, days, new_job, seed_backfill, submit

pytestmark = pytest.mark.slow


async def ended(store: Store, job_id: str) -> pb.Job:
    """The job when it has ended."""

    async def over() -> bool:
        job = await store.load(job_id)
        return job is not None and job.state in JOB_TERMINAL | {pb.JOB_STATE_NEEDS_ATTENTION}

    await eventually(over)
    job = await store.load(job_id)
    assert job is not None
    return job


async def events_of(redis: Redis, job_id: str) -> list[pb.JobEvent]:
    """The job's whole log."""
    raw: list[bytes] = await redis.lrange(keys.log(job_id), 0, -1)  # type: ignore[misc]
    return [pb.JobEvent.FromString(event) for event in raw]


def requests(emulator: RunningEmulator) -> list[tuple[str, dict[str, Any]]]:
    """What was asked of the emulator, in order: action and parameters."""
    return [(row.action, dict(row.params)) for row in emulator.ledger.rows()]


async def test_seed_000_asks_for_what_the_seed_asked_for(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(seed_backfill()))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_SUCCEEDED, job
    asked = requests(emulator)
    create = dict(asked[0][1])
    assert asked[0][0] == "CreateWorkflowInstances"
    assert json.loads(create.pop("DefaultRunProperties")) == {
        "Analysis": {"Enabled": False, "Blocked": False},
        "Parallelism": 1,
        "RootTaskIds": [1023697426],
        "Mode": "AllDownstream",
    }
    assert json.loads(create.pop("Periods")) == {
        "BizDates": [{"StartBizDate": "2025-02-05", "EndBizDate": "2025-02-06"}]
    }
    # The seed's command, and AutoStartEnabled, which is always said: its default and its behaviour differ upstream.
    assert create == {
        "AutoStartEnabled": "False",
        "EnvType": "Prod",
        "ProjectId": "257880",
        "WorkflowId": "5188541262300189362",
        "Name": "devinTestSparkSQL20run1",
        "Type": "SupplementData",
    }
    operation_id = job.operations[0].operation_id
    assert ("GetCreateWorkflowInstancesResult", {"OperationId": operation_id}) in asked
    starts = [json.loads(params["Ids"]) for action, params in asked if action == "StartWorkflowInstances"]
    assert starts == [[1000341554601, 1000341554605]]
    read = [params["Id"] for action, params in asked if action == "GetWorkflowInstance"]
    assert set(read) == {"1000341554601", "1000341554605"}


async def test_the_child_waits_for_its_parent_and_is_adopted(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(seed_backfill()))
        await ended(store, job_id)

    events = await events_of(redis, job_id)
    child = [run for event in events for run in event.runs if run.index == 1]
    states = [pb.RunState.Name(run.state).removeprefix("RUN_STATE_") for run in child]
    seen = list(dict.fromkeys(states))
    assert seen[:3] == ["CREATING", "CREATED", "BLOCKED"]
    assert seen[-1] == "SUCCEEDED"
    assert next(run for run in child if run.state == pb.RUN_STATE_BLOCKED).blocked_by_id == 1000341554601
    assert child[-1].started_by == pb.STARTED_BY_UPSTREAM


async def test_the_state_is_the_fold_of_the_log(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(seed_backfill()))
        job = await ended(store, job_id)

    assert event_log.replay(await events_of(redis, job_id)) == job


async def test_usage_equals_what_the_emulator_was_asked(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(seed_backfill()))
        await ended(store, job_id)

    counted: list[bytes] = await redis.hmget(keys.job(job_id), ["reads", "writes"])  # type: ignore[misc]
    assert sum(map(int, counted)) == len(requests(emulator))
    assert int(counted[1]) == 2


async def test_a_year_with_holes_is_created_in_windows(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    spec = seed_backfill(max_created_ahead=4)
    del spec.biz_dates[:]
    for first, last in (("2025-01-01", "2025-01-03"), ("2025-02-01", "2025-02-01"), ("2025-03-01", "2025-03-04")):
        spec.biz_dates.extend(days(first, last))
    spec.default_run_properties.parallelism = 4
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(spec))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_SUCCEEDED
    assert job.counts.succeeded == job.counts.total == 8
    created = [len(op.workflow_instance_ids) for op in job.operations]
    assert sum(created) == 8
    assert max(created) <= 4


async def test_adhoc_runs_to_its_end(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    task = pb.AdhocTask(
        client_unique_code="t1", name="n", type="ODPS_SQL", owner="1", script_content="select 1", resource_group_id="g"
    )
    spec = pb.ExecuteAdhocWorkflowInstanceSpec(project_id=257880, name="adhoc1", owner="1", tasks=[task])
    runs = [pb.InstanceRun(index=0, state=pb.RUN_STATE_PLANNED, attempt=1, operation_index=-1)]
    async with run_worker(worker_settings):
        job_id = await submit(store, new_job(adhoc=spec, runs=runs))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_SUCCEEDED, job
    assert job.runs[0].workflow_instance_id > 0
    assert job.runs[0].state == pb.RUN_STATE_SUCCEEDED


async def test_the_end_of_a_backfill_gives_its_dates_back(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    job = backfill_job(seed_backfill())
    job.backfill.ClearField("overlap")
    held = hold_of(job)
    assert held is not None
    async with run_worker(worker_settings):
        job_id = await submit(store, job)
        assert await redis.hgetall(held.key) == {day.encode(): job_id.encode() for day in held.days}  # type: ignore[misc]
        await ended(store, job_id)

    assert await redis.exists(held.key) == 0


async def test_only_the_missing_dates_run_and_the_job_succeeds(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    wider = seed_backfill(reprocess=pb.REPROCESS_MISSING_ONLY)
    del wider.biz_dates[:]
    wider.biz_dates.extend(days("2025-02-04", "2025-02-07"))
    async with run_worker(worker_settings):
        await ended(store, await submit(store, backfill_job(seed_backfill())))
        job_id = await submit(store, backfill_job(wider))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_SUCCEEDED, job.error
    assert [run.workflow_instance_id for run in job.runs if is_left_alone(run)] == [1000341554601, 1000341554605]
    assert [run.state for run in job.runs].count(pb.RUN_STATE_SUCCEEDED) == 2
    creates = [dict(row.params) for row in emulator.ledger.rows(action="CreateWorkflowInstances")]
    assert json.loads(creates[1]["Periods"])["BizDates"] == [
        {"StartBizDate": "2025-02-04", "EndBizDate": "2025-02-04"},
        {"StartBizDate": "2025-02-07", "EndBizDate": "2025-02-07"},
    ]
    events = await events_of(redis, job_id)
    told = [event for event in events if event.type == pb.EVENT_TYPE_SURVEYED]
    assert [(run.workflow_instance_id, run.upstream_status) for run in told[0].runs] == [
        (1000341554601, "Success"),
        (1000341554605, "Success"),
    ]
    assert len(told) == 1
