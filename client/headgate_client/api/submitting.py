"""Submit work: one request per kind of job, each made safe to repeat.

Every request gets a fresh request_id unless the caller gave one, so that trying again after a lost answer
finds the job that the first try made instead of making another.
"""

import copy
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypedDict, TypeVar

import grpc

from headgate import pb
from headgate.backfill.reprocess import surveys
from headgate.v1.backfill_service_pb2_grpc import BackfillServiceStub
from headgate.v1.flow_instance_service_pb2_grpc import FlowInstanceServiceStub
from headgate.v1.task_instance_service_pb2_grpc import TaskInstanceServiceStub
from headgate.v1.workflow_instance_service_pb2_grpc import WorkflowInstanceServiceStub
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.values.conversions import duration

SubmitRequest = (
    pb.CreateWorkflowInstancesRequest
    | pb.StartWorkflowInstancesRequest
    | pb.StopWorkflowInstancesRequest
    | pb.RerunWorkflowInstancesRequest
    | pb.ExecuteAdhocWorkflowInstanceRequest
    | pb.CreateBackfillRequest
    | pb.TriggerFlowRequest
    | pb.CancelFlowInstanceRequest
    | pb.RerunTaskInstancesRequest
    | pb.SetSuccessTaskInstancesRequest
    | pb.StopTaskInstancesRequest
    | pb.SuspendTaskInstancesRequest
    | pb.ResumeTaskInstancesRequest
)
"""A request that makes a job."""

AnySubmit = TypeVar("AnySubmit", bound=SubmitRequest)
_JOB_OPTIONS = frozenset({"labels", "priority", "deadline", "ttl_after_end"})


class SubmitOptions(TypedDict, total=False):
    """Fields of a submit that every kind of job has.

    Args:
        request_id: makes the submit safe to repeat, 1 to 128 characters [A-Za-z0-9_.:-]; a fresh UUID if not
        given. job_id: the job's id, 1 to 63 characters [a-z0-9-]; headgate chooses if not given.
        connection: which cloud account, region or organisation; the default one if not given.
        until: how far the job goes before it counts as done.
        validate_only: check everything, record nothing: the handle's job is what would be made.
        labels: to find it by, at most 20.
        priority: 0 to 9, larger is more urgent; 0 if not given.
        deadline: how long it may take, 1 s to 30 days; 7 days if not given.
        ttl_after_end: how long it is kept after its end.
    """

    request_id: str
    job_id: str
    connection: str
    until: pb.Until.ValueType
    validate_only: bool
    labels: Mapping[str, str]
    priority: int
    deadline: timedelta
    ttl_after_end: timedelta


def fresh_request_id() -> str:
    """Return a request_id that was never used: a random UUID."""
    return str(uuid.uuid4())


def prepared(request: AnySubmit, options: SubmitOptions) -> AnySubmit:
    """Return a copy of the request with the options written in; without a request_id it gets a fresh one."""
    ready = copy.deepcopy(request)
    ready.request_id = options.get("request_id") or request.request_id or fresh_request_id()
    ready.job_id = options.get("job_id", request.job_id)
    ready.connection = options.get("connection", request.connection)
    ready.until = options.get("until", request.until)
    ready.validate_only = options.get("validate_only", request.validate_only)
    if _JOB_OPTIONS & options.keys():
        ready.options.MergeFrom(_job_options(options))
    return ready


def _job_options(options: SubmitOptions) -> pb.JobOptions:
    return pb.JobOptions(
        labels=options.get("labels", {}),
        priority=options.get("priority", 0),
        deadline=duration(options.get("deadline")),
        ttl_after_end=duration(options.get("ttl_after_end")),
    )


Method = tuple[str, Callable[..., Awaitable[pb.Job]]]


class SubmitCalls:
    """Sends submit requests to the service that takes them."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller) -> None:
        self._caller = caller
        instances = WorkflowInstanceServiceStub(channel)
        flows = FlowInstanceServiceStub(channel)
        tasks = TaskInstanceServiceStub(channel)
        self._methods: dict[type[Any], Method] = {
            pb.CreateWorkflowInstancesRequest: ("CreateWorkflowInstances", instances.CreateWorkflowInstances),
            pb.StartWorkflowInstancesRequest: ("StartWorkflowInstances", instances.StartWorkflowInstances),
            pb.StopWorkflowInstancesRequest: ("StopWorkflowInstances", instances.StopWorkflowInstances),
            pb.RerunWorkflowInstancesRequest: ("RerunWorkflowInstances", instances.RerunWorkflowInstances),
            pb.ExecuteAdhocWorkflowInstanceRequest: (
                "ExecuteAdhocWorkflowInstance",
                instances.ExecuteAdhocWorkflowInstance,
            ),
            pb.CreateBackfillRequest: ("CreateBackfill", BackfillServiceStub(channel).CreateBackfill),
            pb.TriggerFlowRequest: ("TriggerFlow", flows.TriggerFlow),
            pb.CancelFlowInstanceRequest: ("CancelFlowInstance", flows.CancelFlowInstance),
            pb.RerunTaskInstancesRequest: ("RerunTaskInstances", tasks.RerunTaskInstances),
            pb.SetSuccessTaskInstancesRequest: ("SetSuccessTaskInstances", tasks.SetSuccessTaskInstances),
            pb.StopTaskInstancesRequest: ("StopTaskInstances", tasks.StopTaskInstances),
            pb.SuspendTaskInstancesRequest: ("SuspendTaskInstances", tasks.SuspendTaskInstances),
            pb.ResumeTaskInstancesRequest: ("ResumeTaskInstances", tasks.ResumeTaskInstances),
        }

    async def submit(self, request: SubmitRequest, options: SubmitOptions) -> pb.Job:
        """Send a copy of the request with the options applied, and return the job. Raises HeadgateError."""
        ready = prepared(request, options)
        method, unary = self._methods[type(ready)]
        return await self._caller.call(method, unary, ready, safe=True, wait=_wait(ready))


LOOK_UP_SECONDS = 60.0
"""How much longer a call may take that looks up the dates of a backfill."""


def _wait(request: SubmitRequest) -> float:
    compares = isinstance(request, pb.CreateBackfillRequest) and request.plan_token and surveys(request.spec)
    return LOOK_UP_SECONDS if compares else 0.0


_RUN_FIELDS: dict[type[Any], str] = {
    pb.CreateWorkflowInstancesRequest: "create",
    pb.StartWorkflowInstancesRequest: "start",
    pb.StopWorkflowInstancesRequest: "stop",
    pb.RerunWorkflowInstancesRequest: "rerun",
    pb.ExecuteAdhocWorkflowInstanceRequest: "adhoc",
    pb.CreateBackfillRequest: "backfill",
    pb.TriggerFlowRequest: "trigger_flow",
    pb.CancelFlowInstanceRequest: "cancel_flow_instance",
    pb.RerunTaskInstancesRequest: "rerun_tasks",
    pb.SetSuccessTaskInstancesRequest: "set_success_tasks",
    pb.StopTaskInstancesRequest: "stop_tasks",
    pb.SuspendTaskInstancesRequest: "suspend_tasks",
    pb.ResumeTaskInstancesRequest: "resume_tasks",
}


def run_request(request: SubmitRequest, options: SubmitOptions) -> pb.RunJobRequest:
    """Return the RunJob request that carries a copy of a submit request with the options applied."""
    run = pb.RunJobRequest()
    getattr(run, _RUN_FIELDS[type(request)]).CopyFrom(prepared(request, options))
    return run
