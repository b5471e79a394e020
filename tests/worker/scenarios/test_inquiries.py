"""What a failed date tells of itself, and a hollow success: worker and emulator over real HTTP, Redis in between."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate.store import keys
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import DryRun, ErrorReply, FailRun, Latency, MalformedReply
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.reads.test_tasks import one_date
from tests.worker.scenarios.test_backfill import ended, events_of, requests
from tests.worker.submitting import backfill_job, new_job, seed_backfill, submit

pytestmark = pytest.mark.slow

LOG = "SECRET-IN-A-LOG 表不存在\n" * 1_000


def actions(emulator: RunningEmulator) -> list[str]:
    return [action for action, _ in requests(emulator)]


@pytest.fixture
def failing(emulator: RunningEmulator) -> RunningEmulator:
    """Every run fails in its second task."""
    emulator.faults.add([FailRun(task_name="task_2", log=LOG, count=100)])
    return emulator


async def test_a_failed_run_tells_its_task_and_the_end_of_its_log(
    store: Store,
    redis: Redis,
    failing: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(one_date(3))))

    digest = job.runs[0].failure_digest
    assert (job.state, job.runs[0].state) == (pb.JOB_STATE_FAILED, pb.RUN_STATE_FAILED)
    assert (digest.task_name, digest.truncated) == ("task_2", True)
    assert digest.log_tail.endswith("表不存在\n\nERROR task ends, exit code 1\n")
    assert 4_090 < len(digest.log_tail.encode()) <= 4_096
    assert "task task_2 failed" in job.error.message
    events = await events_of(redis, job.name.removeprefix("jobs/"))
    assert event_log.replay(events) == job
    told = [event for event in events if event.runs and event.runs[0].state == pb.RUN_STATE_FAILED]
    assert [event.runs[0].HasField("failure_digest") for event in told] == [False, True]
    assert [event.type for event in told] == [pb.EVENT_TYPE_RUN_CHANGED] * 2
    assert told[1].upstream_call.action == "GetTaskInstanceLog"
    assert actions(failing)[-2:] == ["ListTaskInstances", "GetTaskInstanceLog"]
    assert "SECRET-IN-A-LOG" not in caplog.text


async def test_a_halt_does_not_wait_for_the_log(
    store: Store, failing: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    failing.faults.add([Latency(action="*Task*", millis=500, count=9)])
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(seed_backfill())))

    asked = actions(failing)
    assert asked.index("StopWorkflowInstances") < asked.index("ListTaskInstances")
    assert asked.count("StartWorkflowInstances") == 1
    assert [run.state for run in job.runs] == [pb.RUN_STATE_FAILED, pb.RUN_STATE_SKIPPED]
    assert job.runs[0].failure_digest.task_name == "task_2"


@pytest.mark.parametrize(
    "fault",
    [
        ErrorReply(action="ListTaskInstances", code="Forbidden.Access", status=403, count=9),
        ErrorReply(action="ListTaskInstances", code="Throttling.Api.Risk", status=429, count=9),
        MalformedReply(action="ListTaskInstances", shape="html", count=9),
        MalformedReply(action="ListTaskInstances", shape="slow", seconds=60, count=9),
    ],
    ids=["denied", "frozen", "malformed", "slow"],
)
async def test_a_log_that_cannot_be_had_changes_nothing_else(
    store: Store,
    failing: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
    fault: ErrorReply | MalformedReply,
) -> None:
    failing.faults.add([fault])
    hurried = worker_settings.model_copy(update={"failure_digest_seconds": 2.0, "call_seconds": 1.0})
    async with run_worker(hurried):
        job = await ended(store, await submit(store, backfill_job(one_date(3))))

    assert (job.state, job.runs[0].HasField("failure_digest")) == (pb.JOB_STATE_FAILED, False)
    waited = job.end_time.ToMilliseconds() - job.runs[0].observe_time.ToMilliseconds()
    assert waited < 2_000 + 1_000 + 2_000  # the wait, one call, and a busy machine
    assert "ListTaskInstances" in actions(failing)


async def test_a_frozen_quota_leaves_the_log_out(
    store: Store, redis: Redis, failing: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    settings = worker_settings.model_copy(update={"dataworks_edition": "enterprise", "failure_digest_seconds": 60.0})
    throttled = ErrorReply(action="ListTaskInstances", code="Throttling.User", status=429, retry_after_ms=3_000)
    failing.faults.add([throttled])
    async with run_worker(settings):
        job_id = await submit(store, backfill_job(one_date(3)))

        async def asked() -> bool:
            return "ListTaskInstances" in actions(failing)

        await eventually(asked)
        far = await store.now_ms() + 3_600_000
        await redis.hset(keys.quota(""), "frozen:read", str(far))  # type: ignore[misc]
        job = await ended(store, job_id)

    assert (job.state, job.runs[0].HasField("failure_digest")) == (pb.JOB_STATE_FAILED, False)
    assert actions(failing).count("ListTaskInstances") == 1
    waited = job.end_time.ToMilliseconds() - job.runs[0].observe_time.ToMilliseconds()
    assert waited < 20_000


@asynccontextmanager
async def worker_process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own, which may be killed; it is gone at the end of the block."""
    environment = {
        **os.environ,
        "HEADGATE_REDIS_URL": settings.redis_url.get_secret_value(),
        "HEADGATE_OPS_LISTEN": "127.0.0.1:0",
        "HEADGATE_DATAWORKS_ENDPOINT": settings.dataworks_endpoint,
        "HEADGATE_POLL_MIN_SECONDS": "0.1",
        "HEADGATE_LEASE_SECONDS": "1",
        "HEADGATE_FAILURE_DIGEST_SECONDS": str(settings.failure_digest_seconds),
    }
    program = (sys.executable, "-m", "headgate_worker")
    process = await asyncio.create_subprocess_exec(*program, env=environment, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_that_dies_over_the_log_leaves_the_look_to_another(
    store: Store, redis: Redis, failing: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    patient = worker_settings.model_copy(update={"failure_digest_seconds": 120.0})
    failing.faults.add([Latency(action="GetTaskInstanceLog", millis=600_000)])
    job_id = await submit(store, backfill_job(one_date(3)))

    async def listed() -> bool:
        return "ListTaskInstances" in actions(failing)

    async with worker_process(patient):
        await eventually(listed, seconds=60)
    async with run_worker(patient):
        job = await ended(store, job_id)

    assert job.runs[0].failure_digest.task_name == "task_2"
    assert actions(failing).count("ListTaskInstances") == 2
    assert actions(failing).count("CreateWorkflowInstances") == 1
    events = await events_of(redis, job_id)
    assert event_log.replay(events) == job
    assert sum(run.HasField("failure_digest") for event in events for run in event.runs) == 1


async def test_the_look_can_be_switched_off(
    store: Store, failing: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings.model_copy(update={"failure_digest_seconds": 0.0})):
        job = await ended(store, await submit(store, backfill_job(one_date(3))))

    assert not job.runs[0].HasField("failure_digest")
    assert not {"ListTaskInstances", "GetTaskInstanceLog"} & set(actions(failing))


async def test_a_started_instance_of_somebody_elses_tells_its_failure_too(
    store: Store, failing: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    spec = pb.CreateWorkflowInstancesSpec(
        project_id=257880, name="mine", type=pb.WORKFLOW_INSTANCE_TYPE_MANUAL, env_type=pb.ENV_TYPE_PROD
    )
    spec.default_run_properties.root_task_ids.append(7)
    async with run_worker(worker_settings):
        made = await ended(store, await submit(store, new_job(create=spec, until=pb.UNTIL_ACCEPTED)))
        instance = made.runs[0].workflow_instance_id
        row = pb.InstanceRun(workflow_instance_id=instance, state=pb.RUN_STATE_CREATED, attempt=1, operation_index=-1)
        start = new_job(start=pb.StartWorkflowInstancesSpec(ids=[instance]), runs=[row])
        job = await ended(store, await submit(store, start))

    assert job.runs[0].failure_digest.task_name == "task_2"


async def test_a_success_by_dry_run_is_warned_of_where_that_is_wanted(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.faults.add([DryRun(task_name="task_2")])
    async with run_worker(worker_settings.model_copy(update={"dry_run_seconds": 5.0})):
        job = await ended(store, await submit(store, backfill_job(one_date(3))))
        plain = await ended(store, await submit(store, backfill_job(one_date(3))))
    events = await events_of(redis, job.name.removeprefix("jobs/"))

    assert job.state == plain.state == pb.JOB_STATE_SUCCEEDED
    assert (list(job.runs[0].dry_run_tasks), list(plain.runs[0].dry_run_tasks)) == (["task_2"], [])
    (warning,) = [event for event in events if event.type == pb.EVENT_TYPE_WARNING]
    assert warning.message == ("2025-02-05 succeeded, but tasks of it were ended by dry run and did nothing: task_2")
    assert actions(emulator).count("ListTaskInstances") == 2


async def test_dry_runs_are_not_looked_for_unless_wanted(
    store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.faults.add([DryRun()])
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(one_date(3))))

    assert job.state == pb.JOB_STATE_SUCCEEDED
    assert "ListTaskInstances" not in actions(emulator)
