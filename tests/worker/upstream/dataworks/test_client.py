"""Every call against the emulator, over real HTTP with real signatures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate import pb
from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.faults import ErrorReply, LostReply
from headgate_emulator.scenario import load
from headgate_emulator.settings import Settings
from headgate_worker.core.model import calls
from headgate_worker.ports.upstreams import Upstream
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from tests.worker.upstream.dataworks.specs import (
    ADHOC,
    CREATE,
    FEBRUARY_5,
    FIRST,
    SECOND,
    ask,
    body_of,
    failure_of,
    seed_spec,
)


@pytest.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    settings = Settings(listen="127.0.0.1:0", time_scale=0.0, seed=1)
    async with serve(settings, scenario=load("seed-000")) as running:
        yield running


@pytest.fixture
async def dataworks(emulator: RunningEmulator) -> AsyncIterator[Upstream]:
    settings = DataWorksSettings(endpoint=emulator.url, credentials=Credentials("testid", "testsecret"))
    async with DataWorks(settings) as client:
        yield client


async def created(emulator: RunningEmulator, dataworks: Upstream) -> calls.OperationResult:
    reply = await ask(dataworks, CREATE)
    operation = body_of(reply, str)
    emulator.advance(1)
    result = await ask(dataworks, calls.GetCreateResult(operation))
    return body_of(result, calls.OperationResult)


async def read(dataworks: Upstream, id: int) -> pb.WorkflowInstance:
    return body_of(await ask(dataworks, calls.GetInstance(id)), pb.WorkflowInstance)


async def test_session_of_seed_000_is_read_to_its_end(emulator: RunningEmulator, dataworks: Upstream) -> None:
    result = await created(emulator, dataworks)
    assert result == calls.OperationResult(calls.OperationStatus.DONE, (FIRST, SECOND))
    emulator.advance(64)

    started = await ask(dataworks, calls.StartInstances((FIRST, SECOND), "because"))
    said = body_of(started, dict)
    assert said[FIRST] == calls.PerInstance(success=True)
    assert not said[SECOND].success
    assert f"workflowInstance[{FIRST}]" in said[SECOND].message

    assert (await read(dataworks, FIRST)).status == pb.WORKFLOW_INSTANCE_STATUS_RUNNING
    waiting = await read(dataworks, SECOND)
    assert (waiting.status_raw, waiting.HasField("started_time")) == ("NotRun", False)
    emulator.advance(73)
    ended = await read(dataworks, FIRST)
    assert (ended.status, ended.finished_time.seconds) == (pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, 1739022338)
    assert (ended.biz_date_millis, ended.biz_date.day) == (FEBRUARY_5, 5)
    assert [row.protocol for row in emulator.ledger] == ["ACS3"] * 6


async def test_create_result_is_pending_at_first(emulator: RunningEmulator, dataworks: Upstream) -> None:
    reply = await ask(dataworks, CREATE)

    result = await ask(dataworks, calls.GetCreateResult(body_of(reply, str)))

    assert body_of(result, calls.OperationResult).status is calls.OperationStatus.PENDING


async def test_instances_are_listed_by_date_name_and_id(emulator: RunningEmulator, dataworks: Upstream) -> None:
    await created(emulator, dataworks)
    call = calls.ListInstances(
        257880,
        FEBRUARY_5,
        name="devinTestSparkSQL20run1",
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        env_type=pb.ENV_TYPE_PROD,
        ids=(FIRST, SECOND),
    )

    page = body_of(await ask(dataworks, call), calls.InstancePage)

    assert [row.id for row in page.instances] == [FIRST]
    assert page.total_count == 1
    assert page.instances[0].observe_time.seconds > 0
    assert page.instances[0].upstream_request_id


async def test_stop_says_what_became_of_each_instance(emulator: RunningEmulator, dataworks: Upstream) -> None:
    await created(emulator, dataworks)
    await ask(dataworks, calls.StartInstances((FIRST,)))

    stopped = await ask(dataworks, calls.StopInstances((FIRST,), "enough"))

    assert body_of(stopped, dict)[FIRST].success


async def test_tasks_of_an_instance_and_their_logs_are_read(emulator: RunningEmulator, dataworks: Upstream) -> None:
    await created(emulator, dataworks)
    await ask(dataworks, calls.StartInstances((FIRST,)))
    emulator.advance(100)

    listed = await ask(dataworks, calls.ListTasks(257880, FEBRUARY_5, FIRST))
    page = body_of(listed, calls.TaskPage)
    assert page.total_count == len(page.tasks) > 0
    assert {task.workflow_instance_id for task in page.tasks} == {FIRST}

    task = page.tasks[0]
    one = body_of(await ask(dataworks, calls.GetTask(task.id)), pb.TaskInstance)
    assert (one.task_id, one.status) == (task.task_id, task.status)
    log = await ask(dataworks, calls.GetTaskLog(task.id, 1))
    assert body_of(log, str)


async def test_adhoc_instance_runs_at_once(emulator: RunningEmulator, dataworks: Upstream) -> None:
    reply = await ask(dataworks, ADHOC)

    instance = await read(dataworks, body_of(reply, int))

    assert (instance.name, instance.env_type) == ("adhoc one", pb.ENV_TYPE_DEV)


async def test_manual_workflow_runs_again(emulator: RunningEmulator, dataworks: Upstream) -> None:
    spec = seed_spec()
    spec.type = pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW
    made = body_of(await ask(dataworks, calls.CreateInstances(spec)), str)
    emulator.advance(1)
    result = await ask(dataworks, calls.GetCreateResult(made))
    ids = body_of(result, calls.OperationResult).instance_ids
    await ask(dataworks, calls.StartInstances(ids))
    emulator.advance(10_000)

    again = pb.RerunWorkflowInstancesSpec(project_id=257880, workflow_id=spec.workflow_id, ids=ids)
    operation = body_of(await ask(dataworks, calls.RerunInstances(again)), str)
    emulator.advance(10_000)
    rerun = await ask(dataworks, calls.GetRerunResult(operation))

    assert body_of(rerun, calls.OperationResult).status is calls.OperationStatus.DONE


async def test_missing_instance_is_not_found(dataworks: Upstream) -> None:
    failure = failure_of(await ask(dataworks, calls.GetInstance(404)))

    assert failure.kind is calls.FailureKind.NOT_FOUND


async def test_wrong_secret_is_denied(emulator: RunningEmulator) -> None:
    settings = DataWorksSettings(endpoint=emulator.url, credentials=Credentials("testid", "wrong"))
    async with DataWorks(settings) as client:
        failure = failure_of(await ask(client, calls.GetInstance(FIRST)))

    assert (failure.kind, failure.code) == (calls.FailureKind.DENIED, "SignatureDoesNotMatch")
    assert failure.request_id


async def test_lost_reply_to_a_create_is_ambiguous_and_it_was_made(
    emulator: RunningEmulator, dataworks: Upstream
) -> None:
    emulator.faults.add([LostReply(action="Create*")])

    failure = failure_of(await ask(dataworks, CREATE))
    emulator.advance(1)
    found = await ask(dataworks, calls.ListInstances(257880, FEBRUARY_5))

    assert (failure.kind, failure.code) == (calls.FailureKind.AMBIGUOUS, "connection_lost")
    assert body_of(found, calls.InstancePage).total_count == 1
    assert [row.action for row in emulator.ledger] == ["CreateWorkflowInstances", "ListWorkflowInstances"]


async def test_throttled_call_says_how_long_to_wait(emulator: RunningEmulator, dataworks: Upstream) -> None:
    emulator.faults.add([ErrorReply(action="*", code="Throttling.User", status=429, retry_after_ms=2500)])

    failure = failure_of(await ask(dataworks, calls.GetInstance(FIRST)))

    assert (failure.kind, failure.retry_after_seconds) == (calls.FailureKind.THROTTLED, 2.5)
