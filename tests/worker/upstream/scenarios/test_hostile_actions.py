"""Every action with every kind of spoilt reply, through the emulator: an outcome each time, and the right one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import get_args

import pytest

from headgate import pb
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import MalformedReply, Shape
from headgate_worker.core.model import calls, flow_calls, task_calls
from headgate_worker.core.model.calls import ACTIONS, NOT_REPEATABLE, FailureKind
from headgate_worker.ports.upstreams import Upstream
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from tests.worker.upstream.dataworks.specs import (
    ADHOC,
    CREATE,
    FEBRUARY_5,
    FIRST,
    RERUN,
    SHORT,
    ask,
    body_of,
    failure_of,
)
from tests.worker.upstream.dataworks.test_client import created
from tests.worker.upstream.dataworks.test_client import emulator as emulator

TASK_WRITES = (
    task_calls.RerunTasks,
    task_calls.SetSuccessTasks,
    task_calls.StopTasks,
    task_calls.SuspendTasks,
    task_calls.ResumeTasks,
)

READ_EITHER_WAY = {calls.ExecuteAdhoc, calls.StartInstances, calls.StopInstances, *TASK_WRITES[3:]}
"""Their replies have ids and booleans only, which are taken as text too: older calls answer so."""

CODES = {
    "html": "malformed_reply",
    "truncated": "malformed_reply",
    "cut": "connection_lost",
    "wrong_types": "malformed_reply",
    "missing_members": "malformed_reply",
    "empty": "malformed_reply",
    "not_object": "malformed_reply",
    "huge": "reply_too_large",
    "slow": "timed_out",
    "redirect": "malformed_reply",
}
"""What each shape comes to. A reply without the one thing that was asked for may also mean that it is not there."""


@pytest.fixture
async def dataworks(emulator: RunningEmulator) -> AsyncIterator[Upstream]:
    keys = Credentials("testid", "testsecret")
    async with DataWorks(DataWorksSettings(endpoint=emulator.url, credentials=keys, max_reply_bytes=1 << 20)) as client:
        yield client


async def every_call(emulator: RunningEmulator, dataworks: Upstream) -> list[calls.Call]:
    """One good call of each action: it names what is there."""
    operation = body_of(await ask(dataworks, CREATE), str)
    await created(emulator, dataworks)
    rerun = body_of(await ask(dataworks, RERUN), str)
    tasks = calls.ListTasks(257880, FEBRUARY_5, FIRST)
    task = body_of(await ask(dataworks, tasks), calls.TaskPage).tasks[0].id
    found: list[calls.Call] = [
        CREATE,
        ADHOC,
        calls.RerunInstances(pb.RerunWorkflowInstancesSpec(project_id=257880, workflow_id=1, ids=[FIRST])),
        calls.GetCreateResult(operation),
        calls.GetRerunResult(rerun),
        calls.StartInstances((FIRST,)),
        calls.StopInstances((FIRST,)),
        calls.GetInstance(FIRST),
        calls.ListInstances(257880, FEBRUARY_5),
        tasks,
        calls.GetTask(task),
        calls.GetTaskLog(task),
        *(kind((task,)) for kind in TASK_WRITES),
    ]
    return found


async def test_every_action_is_tried(emulator: RunningEmulator, dataworks: Upstream) -> None:
    tried = {type(call) for call in await every_call(emulator, dataworks)}

    assert tried == set(ACTIONS) - set(flow_calls.ACTIONS)


@pytest.mark.parametrize("shape", get_args(Shape))
async def test_a_spoilt_reply_never_passes_for_an_answer(
    emulator: RunningEmulator, dataworks: Upstream, shape: Shape
) -> None:
    for call in await every_call(emulator, dataworks):
        action = ACTIONS[type(call)]
        emulator.faults.add([MalformedReply(action=action, shape=shape, megabytes=2, seconds=30)])

        outcome = await ask(dataworks, call, SHORT if shape == "slow" else 10.0)

        if shape == "wrong_types" and type(call) in READ_EITHER_WAY:
            assert isinstance(outcome, calls.Reply)
            continue
        failure = failure_of(outcome)
        if failure.code == "not_found":
            assert shape == "missing_members" and action in ("GetWorkflowInstance", "GetTaskInstance")
            continue
        expected = FailureKind.AMBIGUOUS if type(call) in NOT_REPEATABLE else FailureKind.TRANSIENT
        assert (failure.kind, failure.code) == (expected, CODES[shape]), action
