"""Jobs about task instances: worker and emulator over real HTTP, with lost replies and killed workers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks.statuses import Status
from headgate_emulator.dataworks.tasks import rows_of
from headgate_emulator.faults import AppliedLate, FailRun, LostReply, LostRequest
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker
from tests.worker.scenarios.test_backfill import ended, events_of
from tests.worker.scenarios.test_crash_matrix import killed_worker
from tests.worker.submitting import backfill_job, days, new_job, seed_backfill, submit

pytestmark = pytest.mark.slow

ACTIONS = {
    "rerun_tasks": "RerunTaskInstances",
    "set_success_tasks": "SetSuccessTaskInstances",
    "suspend_tasks": "SuspendTaskInstances",
    "resume_tasks": "ResumeTaskInstances",
}


def about(kind: str, *ids: int) -> pb.Job:
    """A job about task instances, as it is accepted."""
    rows = [
        pb.InstanceRun(index=n, state=pb.RUN_STATE_PLANNED, attempt=1, operation_index=-1, task_instance_id=one)
        for n, one in enumerate(ids)
    ]
    fields: dict[str, Any] = {kind: {"ids": ids, "comment": "mended"}, "runs": rows}
    return new_job(**fields)


@pytest.fixture
async def failed_task(store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker) -> int:
    """The task instance that failed of a backfill of one date, which is over."""
    emulator.faults.add([FailRun(task_name="load_orders")])
    spec = seed_backfill()
    del spec.biz_dates[:]
    spec.biz_dates.extend(days("2025-02-05", "2025-02-05"))
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(spec)))
    assert job.state == pb.JOB_STATE_FAILED
    return next(task for task, status in tasks(emulator) if status == "Failure")


def tasks(emulator: RunningEmulator) -> list[tuple[int, str]]:
    now = emulator.clock.now_ms()
    emulator.world.advance(now)
    instance = emulator.world.instances[-1]
    return [(row.task.id, str(row.status)) for row in rows_of(instance, instance.run, now)]


def applied(emulator: RunningEmulator, kind: str) -> int:
    return sum(row.applied for row in emulator.ledger.rows(action=ACTIONS[kind]))


@pytest.mark.parametrize("kind", ["rerun_tasks", "set_success_tasks"])
async def test_a_repaired_task_makes_its_instance_succeed(
    kind: str,
    failed_task: int,
    store: Store,
    redis: Redis,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
) -> None:
    async with run_worker(worker_settings):
        job_id = await submit(store, about(kind, failed_task, 5))
        job = await ended(store, job_id)

    assert event_log.replay(await events_of(redis, job_id)) == job
    assert [run.state for run in job.runs] == [pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED]  # there is no 5
    assert applied(emulator, kind) == 1

    async def succeeded() -> None:
        while emulator.world.instance(instance, emulator.clock.now_ms()).status is not Status.SUCCESS:
            await asyncio.sleep(0.05)

    instance = emulator.world.instances[-1].id
    await asyncio.wait_for(succeeded(), 20)


def _lost(action: str) -> LostReply:
    return LostReply(action=action)


def _late(action: str) -> AppliedLate:
    return AppliedLate(action=action, seconds=1)


@pytest.mark.parametrize("kind", ACTIONS)
@pytest.mark.parametrize("fault", [_lost, _late])
async def test_a_lost_reply_is_read_for_and_never_sent_twice(
    kind: str,
    fault: Callable[[str], LostReply | AppliedLate],
    failed_task: int,
    store: Store,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
) -> None:
    if kind == "resume_tasks":
        async with run_worker(worker_settings):
            await ended(store, await submit(store, about("suspend_tasks", failed_task)))
    emulator.faults.add([fault(ACTIONS[kind])])
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, about(kind, failed_task)))

    assert job.state == pb.JOB_STATE_SUCCEEDED, job.error
    assert job.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert applied(emulator, kind) == 1


async def test_a_rerun_that_never_arrived_asks_a_person(
    failed_task: int, store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.faults.add([LostRequest(action="RerunTaskInstances")])
    async with run_worker(worker_settings.model_copy(update={"settle_seconds": 0.5})):
        job = await ended(store, await submit(store, about("rerun_tasks", failed_task)))

    assert job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert applied(emulator, "rerun_tasks") == 0


async def test_a_set_to_success_that_never_arrived_is_sent_again(
    failed_task: int, store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.faults.add([LostRequest(action="SetSuccessTaskInstances")])
    async with run_worker(worker_settings.model_copy(update={"settle_seconds": 0.5})):
        job = await ended(store, await submit(store, about("set_success_tasks", failed_task)))

    assert job.state == pb.JOB_STATE_SUCCEEDED, job.error
    assert applied(emulator, "set_success_tasks") == 1


CASES = [
    "taken:1",
    *[f"committing:{n}" for n in (1, 2, 3)],
    *[f"committed:{n}" for n in (1, 2, 3)],
    *[f"intended:{n}" for n in (1, 2)],
    *[f"answered:{n}" for n in (1, 2)],
]


@pytest.mark.parametrize("kind", ["rerun_tasks", "set_success_tasks", "suspend_tasks"])
@pytest.mark.parametrize("crash_at", CASES)
async def test_a_killed_tick_doubles_no_write_about_a_task(
    kind: str,
    crash_at: str,
    failed_task: int,
    store: Store,
    redis: Redis,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
) -> None:
    job_id = await submit(store, about(kind, failed_task))
    assert await killed_worker(worker_settings, crash_at) == -signal.SIGKILL
    killed = await store.load(job_id)
    assert killed is not None
    unsent = bool(killed.operations) and not applied(emulator, kind)
    async with run_worker(worker_settings.model_copy(update={"settle_seconds": 0.5})):
        job = await ended(store, job_id)

    assert event_log.replay(await events_of(redis, job_id)) == job
    if kind == "rerun_tasks" and unsent:
        assert job.state == pb.JOB_STATE_NEEDS_ATTENTION
        assert applied(emulator, kind) == 0
        return
    assert job.state == pb.JOB_STATE_SUCCEEDED, job.error
    assert applied(emulator, kind) == 1
