"""The operations of the API by name: how each reads its parameters, acts on the world and answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headgate_emulator.dataworks import replies
from headgate_emulator.dataworks import requests as wire
from headgate_emulator.dataworks.listing import listed
from headgate_emulator.dataworks.replies import Json
from headgate_emulator.dataworks.task_writes import ACTS, TaskAct, on_tasks
from headgate_emulator.dataworks.tasks import listed_tasks, task_row
from headgate_emulator.dataworks.world import World

Call = Callable[[World, Mapping[str, str], int], Json]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `call` takes the world, the merged parameters and the time (ms), and may raise ApiError.

    `writes` puts it into the write class of the quota: Get* and List* read, the rest writes (assumed).
    """

    call: Call
    writes: bool


def _operation(model: type[wire.R], act: Callable[[World, wire.R, int], Json], *, writes: bool) -> Operation:
    return Operation(lambda world, params, now: act(world, wire.read(model, params), now), writes)


def _create(world: World, request: wire.CreateWorkflowInstances, now: int) -> Json:
    return {"OperationId": world.create(request, now)}


def _creation(world: World, request: wire.OperationResult, now: int) -> Json:
    creation = world.creation(request.operation_id, now)
    return {"Result": replies.creation_json(creation, modern=world.rules.modern_fields)}


def _start(world: World, request: wire.OnInstances, now: int) -> Json:
    return {"SuccessInfo": replies.success_info(world.start(request.ids, now))}


def _stop(world: World, request: wire.OnInstances, now: int) -> Json:
    return {"SuccessInfo": replies.success_info(world.stop(request.ids, now))}


def _get(world: World, request: wire.GetInstance, now: int) -> Json:
    one = world.instance(request.id, now)
    return {"WorkflowInstance": replies.instance_json(one, modern=world.rules.modern_fields)}


def _list(world: World, request: wire.ListWorkflowInstances, now: int) -> Json:
    world.advance(now)
    found = listed(world.instances, request, now)
    rows = [replies.instance_json(one, modern=world.rules.modern_fields) for one in found.rows]
    return {"PagingInfo": replies.paging_json(found, "WorkflowInstances", rows)}


def _adhoc(world: World, request: wire.ExecuteAdhocWorkflowInstance, now: int) -> Json:
    return {"WorkflowInstanceId": world.execute_adhoc(request, now)}


def _rerun(world: World, request: wire.RerunWorkflowInstances, now: int) -> Json:
    return {"OperationId": world.rerun(request, now)}


def _rerunning(world: World, request: wire.OperationResult, now: int) -> Json:
    return {"Result": replies.rerunning_json(world.rerunning(request.operation_id, now))}


def _list_tasks(world: World, request: wire.ListTaskInstances, now: int) -> Json:
    world.advance(now)
    found = listed_tasks(world.instances, request, now)
    rows = [replies.task_json(row) for row in found.rows]
    return {"PagingInfo": replies.paging_json(found, "TaskInstances", rows)}


def _get_task(world: World, request: wire.GetInstance, now: int) -> Json:
    row = task_row(world.task_owner(request.id, now), request.id, now)
    return {"TaskInstance": replies.task_detail_json(row)}


def _task_log(world: World, request: wire.GetTaskInstanceLog, now: int) -> Json:
    owner = world.task_owner(request.id, now)
    return {"TaskInstanceLog": task_row(owner, request.id, now, run_number=request.run_number).log}


def _task_write(act: TaskAct) -> Operation:
    def called(world: World, request: wire.OnInstances, now: int) -> Json:
        return {"SuccessInfo": replies.success_info(on_tasks(world, act, request.ids, now))}

    return _operation(wire.OnInstances, called, writes=True)


OPERATIONS: Mapping[str, Operation] = {
    "CreateWorkflowInstances": _operation(wire.CreateWorkflowInstances, _create, writes=True),
    "GetCreateWorkflowInstancesResult": _operation(wire.OperationResult, _creation, writes=False),
    "StartWorkflowInstances": _operation(wire.OnInstances, _start, writes=True),
    "StopWorkflowInstances": _operation(wire.OnInstances, _stop, writes=True),
    "GetWorkflowInstance": _operation(wire.GetInstance, _get, writes=False),
    "ListWorkflowInstances": _operation(wire.ListWorkflowInstances, _list, writes=False),
    "ExecuteAdhocWorkflowInstance": _operation(wire.ExecuteAdhocWorkflowInstance, _adhoc, writes=True),
    "RerunWorkflowInstances": _operation(wire.RerunWorkflowInstances, _rerun, writes=True),
    "GetRerunWorkflowInstancesResult": _operation(wire.OperationResult, _rerunning, writes=False),
    "ListTaskInstances": _operation(wire.ListTaskInstances, _list_tasks, writes=False),
    "GetTaskInstance": _operation(wire.GetInstance, _get_task, writes=False),
    "GetTaskInstanceLog": _operation(wire.GetTaskInstanceLog, _task_log, writes=False),
    **{name: _task_write(act) for name, act in ACTS.items()},
}
