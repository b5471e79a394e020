"""Calls to DataWorks as values, and what comes of them; those to EnOS are `flow_calls`, writes on tasks `task_calls`.

An adapter turns a call into exactly one request and whatever happens into an outcome; it raises nothing for what an
upstream may do. What an outcome means for a job is decided in this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar

from headgate import pb
from headgate_worker.core.model import flow_calls, task_calls
from headgate_worker.core.model.upstream_call import PerInstance as PerInstance
from headgate_worker.core.model.upstream_call import UpstreamCall

Body_co = TypeVar("Body_co", covariant=True)


class FailureKind(Enum):
    """How a failed call may be treated. Classified from the upstream's code first, its HTTP status last."""

    THROTTLED = "throttled"  # refused before it was executed; again after a while
    FROZEN = "frozen"  # the daily allowance is spent; again tomorrow
    TRANSIENT = "transient"  # provably not executed, or a read; again after a while
    AMBIGUOUS = "ambiguous"  # a write that may or may not have been executed
    REFUSED = "refused"  # upstream refused it; a repeat would be refused again
    DENIED = "denied"  # missing or wrong credentials or rights
    NOT_FOUND = "not_found"  # what it names does not exist


@dataclass(frozen=True, slots=True)
class CreateInstances(UpstreamCall[str]):
    """CreateWorkflowInstances. Not safe to repeat: upstream takes no client token (SDK 9.11).

    The reply has an OperationId.
    """

    spec: pb.CreateWorkflowInstancesSpec


@dataclass(frozen=True, slots=True)
class GetCreateResult(UpstreamCall["OperationResult"]):
    """GetCreateWorkflowInstancesResult for an OperationId."""

    operation_id: str


@dataclass(frozen=True, slots=True)
class StartInstances(UpstreamCall[dict[int, PerInstance]]):
    """StartWorkflowInstances for 1 to 100 ids. Safe to repeat by intent: read, then start what is still NotRun.

    The reply says by id what became of each; an id may be missing.
    """

    ids: tuple[int, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class StopInstances(UpstreamCall[dict[int, PerInstance]]):
    """StopWorkflowInstances for 1 to 100 ids. Safe to repeat by intent. The reply is as that of StartInstances."""

    ids: tuple[int, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class GetInstance(UpstreamCall[pb.WorkflowInstance]):
    """GetWorkflowInstance. The adapter sets observe_time and upstream_request_id of the row."""

    id: int


@dataclass(frozen=True, slots=True)
class ListInstances(UpstreamCall["InstancePage"]):
    """One page of ListWorkflowInstances, `SortBy=Id Asc`. `biz_date_millis` is midnight in Asia/Shanghai."""

    project_id: int
    biz_date_millis: int
    name: str = ""
    type: pb.WorkflowInstanceType.ValueType = pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED
    env_type: pb.EnvType.ValueType = pb.ENV_TYPE_UNSPECIFIED
    ids: tuple[int, ...] = ()
    page_number: int = 1
    page_size: int = 100
    owner: str = ""
    workflow_id: int = 0
    unified_workflow_instance_id: int = 0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecuteAdhoc(UpstreamCall[int]):
    """ExecuteAdhocWorkflowInstance. Starts at once; not safe to repeat. The reply has the instance's id."""

    spec: pb.ExecuteAdhocWorkflowInstanceSpec


@dataclass(frozen=True, slots=True)
class RerunInstances(UpstreamCall[str]):
    """RerunWorkflowInstances, manual workflows only. Not safe to repeat. The reply has an OperationId."""

    spec: pb.RerunWorkflowInstancesSpec


@dataclass(frozen=True, slots=True)
class GetRerunResult(UpstreamCall["OperationResult"]):
    """GetRerunWorkflowInstancesResult for an OperationId."""

    operation_id: str


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which task instances a list shows; ANDed, and what is empty or 0 lets everything pass. Words are upstream's.

    Args:
        id: all runs of this one, a row each; else the latest run of each is listed.
        task_name: part of the name.
    """

    workflow_id: int = 0
    workflow_instance_type: pb.WorkflowInstanceType.ValueType = pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED
    unified_workflow_instance_id: int = 0
    project_env: pb.EnvType.ValueType = pb.ENV_TYPE_UNSPECIFIED
    id: int = 0
    ids: tuple[int, ...] = ()
    task_ids: tuple[int, ...] = ()
    task_name: str = ""
    task_type: str = ""
    status: str = ""
    trigger_type: str = ""
    trigger_recurrence: str = ""
    owner: str = ""
    runtime_resource: str = ""


@dataclass(frozen=True, slots=True)
class ListTasks(UpstreamCall["TaskPage"]):
    """One page of ListTaskInstances. page_size 1 to 500 (SDK 9.11).

    Args:
        biz_date_millis: midnight in Asia/Shanghai.
        workflow_instance_id: 0 for those of every workflow instance of that date.
        sort_by: Id, TriggerTime, StartedTime, FinishedTime or CreateTime, then Asc or Desc.
    """

    project_id: int
    biz_date_millis: int
    workflow_instance_id: int
    page_number: int = 1
    page_size: int = 100
    filter: TaskFilter = TaskFilter()
    sort_by: str = "Id Asc"


@dataclass(frozen=True, slots=True)
class GetTask(UpstreamCall[pb.TaskInstance]):
    """GetTaskInstance: one row, with script, variables and tags."""

    id: int


@dataclass(frozen=True, slots=True)
class GetTaskLog(UpstreamCall[str]):
    """GetTaskInstanceLog. run_number 0 means the latest run."""

    id: int
    run_number: int = 0


Call = UpstreamCall[Any]
"""Any call."""

ACTIONS: Mapping[type, str] = {
    CreateInstances: "CreateWorkflowInstances",
    GetCreateResult: "GetCreateWorkflowInstancesResult",
    StartInstances: "StartWorkflowInstances",
    StopInstances: "StopWorkflowInstances",
    GetInstance: "GetWorkflowInstance",
    ListInstances: "ListWorkflowInstances",
    ExecuteAdhoc: "ExecuteAdhocWorkflowInstance",
    RerunInstances: "RerunWorkflowInstances",
    GetRerunResult: "GetRerunWorkflowInstancesResult",
    ListTasks: "ListTaskInstances",
    GetTask: "GetTaskInstance",
    GetTaskLog: "GetTaskInstanceLog",
    **flow_calls.ACTIONS,
    **task_calls.ACTIONS,
}
"""Upstream's own name of each call."""

WRITES = (
    flow_calls.WRITES
    | task_calls.WRITES
    | {CreateInstances, StartInstances, StopInstances, ExecuteAdhoc, RerunInstances}
)
"""Calls that change something upstream; they are counted against the write quota."""

NOT_REPEATABLE = flow_calls.NOT_REPEATABLE | task_calls.WRITES | {CreateInstances, ExecuteAdhoc, RerunInstances}
"""Calls that need an intent on record before they go out: a lost reply leaves them ambiguous."""


class OperationStatus(Enum):
    """Where an asynchronous create or rerun stands upstream."""

    PENDING = "pending"  # Creating; NotRun for a rerun; or a word newer than this file
    DONE = "done"  # Created; Success for a rerun
    FAILED = "failed"  # CreateFailure; Failure for a rerun


@dataclass(frozen=True, slots=True)
class OperationResult:
    """Answer of GetCreateResult and GetRerunResult. `instance_ids` only once done, in no promised order."""

    status: OperationStatus
    instance_ids: tuple[int, ...] = ()
    failure_message: str = ""


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One page of ListInstances. `total_count` counts all pages."""

    instances: tuple[pb.WorkflowInstance, ...]
    total_count: int


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of ListTasks."""

    tasks: tuple[pb.TaskInstance, ...]
    total_count: int


@dataclass(frozen=True, slots=True)
class StopRecord:
    """A stop of an instance that a job has sent, and that upstream is not known to have refused.

    Args:
        job: the job's name, "jobs/{job_id}".
        sent_ms: when it was about to be sent, by the store's clock.
        accepted: by upstream's reply; else the reply was lost, and the stop may have reached upstream later.
    """

    job: str
    sent_ms: int
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Reply(Generic[Body_co]):
    """The call was executed and its answer has the expected members.

    Args:
        body: what the call brings; see `UpstreamCall`.
        at_ms: for what others have read, when they sent their read, by the store's clock; 0 for what was read now.
        stops: stops on record for the instance that was read, where its end may be the effect of one.
    """

    body: Body_co
    request_id: str
    latency_seconds: float
    at_ms: int = 0
    stops: tuple[StopRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """The call did not bring an answer that can be used.

    Args:
        kind: how it may be treated.
        code: upstream's code such as "Throttling.User", or one of ours in lower case: "connect_failed", "timed_out",
            "connection_lost", "malformed_reply", "reply_too_large", "credentials_unavailable", "unsendable_call",
            "left_out".
        message: one line for people; never holds secrets, signatures or payloads.
        request_id: upstream's RequestId; empty when no reply came.
        http_status: 0 when no reply came.
        retry_after_seconds: what upstream asked for; None when it asked for nothing.
    """

    kind: FailureKind
    code: str
    message: str
    request_id: str = ""
    http_status: int = 0
    retry_after_seconds: float | None = None
    latency_seconds: float = 0.0


OutcomeOf: TypeAlias = Reply[Body_co] | Failure
"""What comes of a call whose reply has a body of this type."""

Outcome = OutcomeOf[Any]
"""What comes of any call."""
