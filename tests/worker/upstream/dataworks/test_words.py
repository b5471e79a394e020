"""Every type of workflow instance, by adapter and emulator: created where upstream takes it, read, listed, filtered."""

from __future__ import annotations

from datetime import date

import pytest

from headgate import pb
from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks.instances import Scheduled
from headgate_worker.core.model import calls
from headgate_worker.ports.upstreams import Upstream
from headgate_worker.upstream.dataworks import words
from tests.worker.upstream.dataworks.specs import FEBRUARY_5, ask, body_of, failure_of, seed_spec
from tests.worker.upstream.dataworks.test_client import dataworks as dataworks
from tests.worker.upstream.dataworks.test_client import emulator as emulator

PROJECT, WORKFLOW = 257880, 5188541262300189362
CREATED = (
    pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
    pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW,
    pb.WORKFLOW_INSTANCE_TYPE_MANUAL,
    pb.WORKFLOW_INSTANCE_TYPE_SMOKE_TEST,
    pb.WORKFLOW_INSTANCE_TYPE_TRIGGER_WORKFLOW,
)
"""Types that CreateWorkflowInstances takes; Normal is what the scheduler makes (reference: 1.1)."""

OWN_WORKFLOW = {pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW, pb.WORKFLOW_INSTANCE_TYPE_TRIGGER_WORKFLOW}


async def made(emulator: RunningEmulator, dataworks: Upstream, kind: pb.WorkflowInstanceType.ValueType) -> int:
    """An instance of a type and of 5 February, started, as far as upstream has that."""
    if kind == pb.WORKFLOW_INSTANCE_TYPE_NORMAL:
        order = Scheduled(project_id=PROJECT, name="nightly", biz_date=date(2025, 2, 5), tasks=(1023697426,))
        return emulator.world.schedule(order, emulator.clock.now_ms())
    spec = seed_spec()
    spec.type = kind
    operation = body_of(await ask(dataworks, calls.CreateInstances(spec)), str)
    emulator.advance(1)
    result = body_of(await ask(dataworks, calls.GetCreateResult(operation)), calls.OperationResult)
    assert len(result.instance_ids) == 2
    await ask(dataworks, calls.StartInstances(result.instance_ids))
    return min(result.instance_ids)


@pytest.mark.parametrize("kind", [*CREATED, pb.WORKFLOW_INSTANCE_TYPE_NORMAL], ids=pb.WorkflowInstanceType.Name)
async def test_a_type_is_made_read_listed_and_made_of_tasks(
    emulator: RunningEmulator, dataworks: Upstream, kind: pb.WorkflowInstanceType.ValueType
) -> None:
    id = await made(emulator, dataworks, kind)
    emulator.advance(1000)

    seen = body_of(await ask(dataworks, calls.GetInstance(id)), pb.WorkflowInstance)
    listed = body_of(await ask(dataworks, calls.ListInstances(PROJECT, FEBRUARY_5, type=kind)), calls.InstancePage)
    of_type = calls.TaskFilter(workflow_instance_type=kind)
    tasks = body_of(await ask(dataworks, calls.ListTasks(PROJECT, FEBRUARY_5, id, filter=of_type)), calls.TaskPage)
    task = body_of(await ask(dataworks, calls.GetTask(tasks.tasks[0].id)), pb.TaskInstance)

    assert (seen.type, seen.type_raw) == (kind, words.INSTANCE_TYPES[kind])
    assert (seen.status, seen.env_type) == (pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, pb.ENV_TYPE_PROD)
    assert seen.workflow_id == (WORKFLOW if kind in OWN_WORKFLOW else 1)
    assert [row.id for row in listed.instances] == [id]
    assert {row.workflow_instance_type for row in tasks.tasks} == {kind}
    assert (task.workflow_instance_id, task.status) == (id, "Success")
    others = {other for other in words.INSTANCE_TYPES if other != kind}
    for other in others:
        page = await ask(dataworks, calls.ListInstances(PROJECT, FEBRUARY_5, type=other))
        assert body_of(page, calls.InstancePage).total_count == 0


def test_the_table_has_every_type() -> None:
    known = set(pb.WorkflowInstanceType.values()) - {pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED}

    assert {*CREATED, pb.WORKFLOW_INSTANCE_TYPE_NORMAL} == known == set(words.INSTANCE_TYPES)


async def test_what_the_scheduler_makes_can_not_be_created(emulator: RunningEmulator, dataworks: Upstream) -> None:
    spec = seed_spec()
    spec.type = pb.WORKFLOW_INSTANCE_TYPE_NORMAL

    assert failure_of(await ask(dataworks, calls.CreateInstances(spec))).kind is calls.FailureKind.REFUSED
    assert not emulator.world.instances


@pytest.mark.parametrize(
    ("kind", "rerun"),
    [(pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW, True), (pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA, False)],
)
async def test_only_manual_workflows_run_again(
    emulator: RunningEmulator, dataworks: Upstream, kind: pb.WorkflowInstanceType.ValueType, rerun: bool
) -> None:
    id = await made(emulator, dataworks, kind)
    emulator.advance(1000)
    again = pb.RerunWorkflowInstancesSpec(project_id=PROJECT, workflow_id=WORKFLOW, ids=[id])
    await ask(dataworks, calls.RerunInstances(again))
    emulator.advance(1000)

    page = await ask(dataworks, calls.ListTasks(PROJECT, FEBRUARY_5, id))

    assert {task.run_number for task in body_of(page, calls.TaskPage).tasks} == {2 if rerun else 1}
