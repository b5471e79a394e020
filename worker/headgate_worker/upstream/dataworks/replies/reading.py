"""Turn a reply's JSON object into what a call brings.

Pure. Nothing that comes back is believed: see `fields` for single members; here it is checked that the reply is about
what was asked. Raises MalformedReply naming the member at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf import timestamp_pb2

from headgate import pb
from headgate_worker.core.model import calls, task_calls
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.dataworks.replies import rows, task_rows
from headgate_worker.upstream.dataworks.replies.fields import MalformedDataWorksReply, Members

R = TypeVar("R")
Row = TypeVar("Row", pb.WorkflowInstance, pb.TaskInstance)

LOG_LENGTH = 16 * 1024 * 1024
OPERATION_ID_LENGTH = 256


class NothingThere(MalformedDataWorksReply):
    """The reply is fine but for the one thing that was asked for: how a missing instance may look."""


@dataclass(frozen=True, slots=True)
class DataWorksReplyContext:
    """When a reply was read, and upstream's RequestId."""

    time: timestamp_pb2.Timestamp
    request_id: str


def read(call: UpstreamCall[Body], reply: Members, reading: DataWorksReplyContext) -> Body:
    """What the reply to `call` brings. Raises MalformedReply."""
    body: Body = _READERS[type(call)](call, reply, reading)
    return body


def _operation_id(call: calls.Call, reply: Members, reading: DataWorksReplyContext) -> str:
    return reply.needed_text("OperationId", length=OPERATION_ID_LENGTH)


def _create_result(
    call: calls.GetCreateResult, reply: Members, reading: DataWorksReplyContext
) -> calls.OperationResult:
    result = _operation_result(_CREATE_STATUSES, reply)
    if result.status is not calls.OperationStatus.DONE:
        return result
    created = reply.member("Result")
    ids = created.ids("WorkflowInstanceIds")
    if not ids:
        raise MalformedDataWorksReply(created.path("WorkflowInstanceIds"))
    return calls.OperationResult(result.status, ids)


def _rerun_result(call: calls.GetRerunResult, reply: Members, reading: DataWorksReplyContext) -> calls.OperationResult:
    return _operation_result(_RERUN_STATUSES, reply)


def _operation_result(statuses: Mapping[str, calls.OperationStatus], reply: Members) -> calls.OperationResult:
    result = reply.member("Result")
    status = statuses.get(result.needed_text("Status"), calls.OperationStatus.PENDING)
    failed = status is calls.OperationStatus.FAILED
    return calls.OperationResult(status, failure_message=result.text("FailureMessage") if failed else "")


_CREATE_STATUSES = {"Created": calls.OperationStatus.DONE, "CreateFailure": calls.OperationStatus.FAILED}
_RERUN_STATUSES = {"Success": calls.OperationStatus.DONE, "Failure": calls.OperationStatus.FAILED}


def _per_instance(
    call: calls.StartInstances | calls.StopInstances | task_calls.TaskWrite,
    reply: Members,
    reading: DataWorksReplyContext,
) -> dict[int, calls.PerInstance]:
    """Only ids that were asked about; one that the reply leaves out is left out here."""
    info = reply.member("SuccessInfo")
    return {id: _one_instance(info.member(str(id))) for id in call.ids if info.has(str(id))}


def _one_instance(said: Members) -> calls.PerInstance:
    return calls.PerInstance(said.boolean("Success"), said.text("Message"))


def _instance(call: calls.GetInstance, reply: Members, reading: DataWorksReplyContext) -> pb.WorkflowInstance:
    return _asked_for(call.id, reply, "WorkflowInstance", reading, rows.instance)


def _task(call: calls.GetTask, reply: Members, reading: DataWorksReplyContext) -> pb.TaskInstance:
    return _asked_for(call.id, reply, "TaskInstance", reading, task_rows.task)


def _asked_for(id: int, reply: Members, name: str, reading: DataWorksReplyContext, row: Callable[..., Row]) -> Row:
    if not reply.has(name):
        raise NothingThere(name)
    found = row(reply.member(name), reading.time, reading.request_id)
    if found.id != id:
        raise MalformedDataWorksReply(reply.member(name).path("Id"))
    return found


def _instances(call: calls.ListInstances, reply: Members, reading: DataWorksReplyContext) -> calls.InstancePage:
    page, total = _page(call, reply, "WorkflowInstances")
    found = [rows.instance(one, reading.time, reading.request_id) for one in page]
    path = "PagingInfo.WorkflowInstances"
    return calls.InstancePage(_distinct(found, lambda row: row.id, path), total)


def _tasks(call: calls.ListTasks, reply: Members, reading: DataWorksReplyContext) -> calls.TaskPage:
    page, total = _page(call, reply, "TaskInstances")
    found = [task_rows.task(one, reading.time, reading.request_id) for one in page]
    if any(_is_foreign(call, row) for row in found):
        raise MalformedDataWorksReply("PagingInfo.TaskInstances")
    # A task that was rerun may be listed once for each run (SDK 9.11).
    return calls.TaskPage(_distinct(found, lambda row: (row.id, row.run_number), "PagingInfo.TaskInstances"), total)


def _is_foreign(call: calls.ListTasks, row: pb.TaskInstance) -> bool:
    """Whether a row says that it belongs to another workflow instance than the one that was asked about."""
    return 0 not in (call.workflow_instance_id, row.workflow_instance_id) and (
        call.workflow_instance_id != row.workflow_instance_id
    )


def _page(call: calls.ListInstances | calls.ListTasks, reply: Members, name: str) -> tuple[list[Members], int]:
    """Rows and total. A page that should have rows and has none is malformed, never an answer.

    A search for an instance that may exist ends in creating it again, so "nothing there" must be explicit.
    """
    paging = reply.member("PagingInfo")
    if not paging.has("TotalCount"):
        raise MalformedDataWorksReply(paging.path("TotalCount"))
    found, total = paging.members(name), paging.count("TotalCount")
    if not found and total > (call.page_number - 1) * call.page_size:
        raise MalformedDataWorksReply(paging.path(name))
    return found, total


def _distinct(found: list[R], key: Callable[[R], Hashable], path: str) -> tuple[R, ...]:
    """Each row once; two rows that say different things about the same id make the reply malformed."""
    seen: dict[Hashable, R] = {}
    for row in found:
        if seen.setdefault(key(row), row) != row:
            raise MalformedDataWorksReply(path)
    return tuple(seen.values())


def _instance_id(call: calls.ExecuteAdhoc, reply: Members, reading: DataWorksReplyContext) -> int:
    return reply.needed_id("WorkflowInstanceId")


def _log(call: calls.GetTaskLog, reply: Members, reading: DataWorksReplyContext) -> str:
    if not reply.has("TaskInstanceLog", null=True):  # null is an empty log, absent is not
        raise MalformedDataWorksReply("TaskInstanceLog")
    return reply.text("TaskInstanceLog", length=LOG_LENGTH)


_Reader = Callable[[Any, Members, DataWorksReplyContext], Any]


def _reads(
    kind: type[UpstreamCall[Body]], reader: Callable[[Any, Members, DataWorksReplyContext], Body]
) -> tuple[type, _Reader]:
    return kind, reader


_READERS: Mapping[type, _Reader] = dict(
    (
        _reads(calls.CreateInstances, _operation_id),
        _reads(calls.GetCreateResult, _create_result),
        _reads(calls.StartInstances, _per_instance),
        _reads(calls.StopInstances, _per_instance),
        _reads(calls.GetInstance, _instance),
        _reads(calls.ListInstances, _instances),
        _reads(calls.ExecuteAdhoc, _instance_id),
        _reads(calls.RerunInstances, _operation_id),
        _reads(calls.GetRerunResult, _rerun_result),
        _reads(calls.ListTasks, _tasks),
        _reads(calls.GetTask, _task),
        _reads(calls.GetTaskLog, _log),
        *(_reads(kind, _per_instance) for kind in task_calls.ACTIONS),
    )
)
