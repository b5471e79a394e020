"""Which right each RPC needs, and what of a request says whether a caller of some connections may make it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from headgate.messages import filters
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.caller import Caller, Right
from headgate_server.requests import operation_names
from headgate_server.requests.named_job import named_job


class Scope(Enum):
    """What ties a request to a connection."""

    CONNECTION = auto()
    """It names the connection."""
    CARRIED = auto()
    """It carries a request that names the connection."""
    JOB = auto()
    """It names a job, which has a connection."""
    OPERATION = auto()
    """It names a job as an operation."""
    ANSWER = auto()
    """Nothing; the handler leaves out of its answer what the caller may not see."""
    NOTHING = auto()
    """Nothing; the answer is the same for all callers."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Who may call a method."""

    right: Right
    scope: Scope


def _rules(service: str, right: Right, scope: Scope, *methods: str) -> dict[str, AccessRule]:
    return {f"{service}.{method}": AccessRule(right, scope) for method in methods}


_JOBS: Final = "headgate.v1.JobService"
_OPERATIONS: Final = "google.longrunning.Operations"
_INSTANCES: Final = "headgate.v1.WorkflowInstanceService"
_FLOWS: Final = "headgate.v1.FlowInstanceService"
_TASKS: Final = "headgate.v1.TaskInstanceService"
_BACKFILLS: Final = "headgate.v1.BackfillService"
_ADMIN: Final = "headgate.v1.AdminService"
_CHANGES: Final = ("UpdateJob", "CancelJob", "PauseJob", "ResumeJob", "RetryJob", "ResolveJob", "DeleteJob")
_WRITES: Final = (
    "CreateWorkflowInstances",
    "StartWorkflowInstances",
    "StopWorkflowInstances",
    "RerunWorkflowInstances",
    "ExecuteAdhocWorkflowInstance",
)
_READS: Final = (
    "GetWorkflowInstance",
    "BatchGetWorkflowInstances",
    "ListWorkflowInstances",
    "WatchWorkflowInstances",
)
_FLOW_READS: Final = ("GetFlowInstance", "ListFlowInstances", "WatchFlowInstances")
_TASK_READS: Final = ("ListTaskInstances", "GetTaskInstance")
_TASK_WRITES: Final = (
    "RerunTaskInstances",
    "SetSuccessTaskInstances",
    "StopTaskInstances",
    "SuspendTaskInstances",
    "ResumeTaskInstances",
)

RULES: Final[Mapping[str, AccessRule]] = {
    **_rules(_JOBS, Right.READ, Scope.JOB, "GetJob", "WatchJob", "ListJobEvents", "ExplainJob", "GetJobReport"),
    **_rules(_JOBS, Right.READ, Scope.ANSWER, "ListJobs", "CountJobs", "WatchJobs"),
    **_rules(_JOBS, Right.WRITE, Scope.JOB, *_CHANGES),
    **_rules(_JOBS, Right.WRITE, Scope.CARRIED, "RunJob"),
    **_rules(_OPERATIONS, Right.READ, Scope.OPERATION, "GetOperation", "WaitOperation"),
    **_rules(_OPERATIONS, Right.READ, Scope.ANSWER, "ListOperations"),
    **_rules(_OPERATIONS, Right.WRITE, Scope.OPERATION, "CancelOperation", "DeleteOperation"),
    **_rules(_INSTANCES, Right.READ, Scope.CONNECTION, *_READS),
    **_rules(_INSTANCES, Right.WRITE, Scope.CONNECTION, *_WRITES),
    **_rules(_FLOWS, Right.READ, Scope.CONNECTION, *_FLOW_READS),
    **_rules(_FLOWS, Right.WRITE, Scope.CONNECTION, "TriggerFlow", "CancelFlowInstance"),
    **_rules(_TASKS, Right.READ, Scope.CONNECTION, *_TASK_READS),
    **_rules(_TASKS, Right.WRITE, Scope.CONNECTION, *_TASK_WRITES),
    **_rules(_FLOWS, Right.PAYLOADS, Scope.CONNECTION, "GetFlowTaskInstanceLog"),
    **_rules(_TASKS, Right.PAYLOADS, Scope.CONNECTION, "GetTaskInstanceLog"),
    **_rules(_BACKFILLS, Right.PLAN, Scope.CONNECTION, "PlanBackfill", "PlanLargeBackfill"),
    **_rules(_BACKFILLS, Right.WRITE, Scope.CONNECTION, "CreateBackfill"),
    **_rules(_ADMIN, Right.READ, Scope.CONNECTION, "GetQuota"),
    **_rules(_ADMIN, Right.READ, Scope.NOTHING, "GetServerInfo"),
    **_rules(_ADMIN, Right.READ, Scope.ANSWER, "CheckJobs"),
}
"""By full name of the RPC: all there are."""


def reads_connection(method: str) -> bool:
    """Whether a method reads of the connection that it names, and keeps nothing of the request; plans have tokens."""
    rule = RULES[method]
    return rule.scope is Scope.CONNECTION and rule.right in (Right.READ, Right.PAYLOADS)


def check_connection(scope: Scope, request: Any, caller: Caller) -> None:
    """Refuse a request on a connection that is none of the caller's.

    Raises:
        Refused: CONNECTION_DENIED.
    """
    named = request
    if scope is Scope.CARRIED:
        kind = request.WhichOneof("request")
        if kind is None:
            return  # its check refuses it
        named = getattr(request, kind)
    if not caller.may_use(named.connection):
        message = f"connection {named.connection[:63]!r} is none of those that {caller.name} may use"
        raise Refused(Reason.CONNECTION_DENIED, message)


def job_of(scope: Scope, request: Any) -> str | None:
    """The id of the job that a request names; None when it names none, which its handler then refuses.

    Raises:
        Refused: FIELD_INVALID.
    """
    if scope is Scope.OPERATION:
        return operation_names.job_id(request.name)
    try:
        return keys.job_id(named_job(request).name)
    except ValueError:
        return None


def denied_job(job_id: str) -> Refused:
    """JOB_DENIED: the same for a job of another connection and for one that is not there."""
    message = f"there is no {keys.job_name(job_id)} on the connections that you may use"
    return Refused(Reason.JOB_DENIED, message)


def seen_by(caller: Caller, wanted: filters.Filter) -> filters.Filter:
    """A filter that lets only those jobs pass that the caller may see."""
    if caller.connections is None:
        return wanted
    return filters.both(wanted, filters.of_connections(caller.connections))
