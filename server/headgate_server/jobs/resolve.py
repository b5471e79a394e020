"""Decide what a person's answer about a call of unknown outcome does to a job. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import RUN_TERMINAL
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import bad_request
from headgate_server.jobs.transitions import conflict, event_for

_UNDECIDED: Final = frozenset(
    {
        pb.OPERATION_OUTCOME_INTENDED,
        pb.OPERATION_OUTCOME_AMBIGUOUS,
        pb.OPERATION_OUTCOME_ACCEPTED,
    }
)
"""Outcomes that a person can decide; the others are known."""

_TASKS: Final = frozenset({"rerun_tasks", "set_success_tasks", "stop_tasks", "suspend_tasks", "resume_tasks"})
"""Kinds of job about task instances."""

_NAMELESS: Final = frozenset({"rerun", "cancel_flow_instance"}) | _TASKS
"""Kinds of job whose calls make no instances, so that none can be named."""

_RERUNS: Final = frozenset({"rerun", "rerun_tasks"})
"""Kinds of job whose call starts what it names."""

_WORDS: Final[Mapping[pb.Resolution.ValueType, str]] = {
    pb.RESOLUTION_EXECUTED: "it was executed",
    pb.RESOLUTION_NOT_EXECUTED: "it was not executed",
    pb.RESOLUTION_ABANDON: "given up",
}


def resolve(job: pb.Job, request: pb.ResolveJobRequest, caller: str, now_ms: int) -> pb.JobEvent:
    """Give the call of unknown outcome the outcome that a person has found.

    Raises:
        Refused: STATE_CONFLICT, or FIELD_INVALID where the ids do not go with the outcome.
    """
    if job.state != pb.JOB_STATE_NEEDS_ATTENTION:
        raise conflict(job, "does not need attention")
    _check_ids(job, request)
    state = pb.JOB_STATE_CANCELLING if job.HasField("cancel") else pb.JOB_STATE_RUNNING
    event = event_for(job, pb.EVENT_TYPE_RESOLVED, state, caller, now_ms)
    said = _WORDS[request.resolution]
    event.message = f"resolved: {said}: {request.reason}" if request.reason else f"resolved: {said}"
    _DECISIONS[request.resolution](job, request, event)
    return event


def _check_ids(job: pb.Job, request: pb.ResolveJobRequest) -> None:
    executed = request.resolution == pb.RESOLUTION_EXECUTED
    wants = executed and job.WhichOneof("spec") not in _NAMELESS
    if wants and not request.workflow_instance_ids:
        raise bad_request([("workflow_instance_ids", "what was executed has made instances: name them")])
    if request.workflow_instance_ids and not wants:
        raise bad_request([("workflow_instance_ids", "goes with EXECUTED, of a call that makes instances")])
    others = {id_ for op in job.operations if op.index != request.operation_index for id_ in op.workflow_instance_ids}
    if taken := sorted(others & set(request.workflow_instance_ids)):
        raise bad_request([("workflow_instance_ids", f"{taken[0]} was made by another operation of the job")])


def _operation(job: pb.Job, request: pb.ResolveJobRequest) -> pb.UpstreamOperation:
    if request.operation_index >= len(job.operations):
        raise bad_request([("operation_index", f"the job has {len(job.operations)} operations")])
    operation = job.operations[request.operation_index]
    if operation.outcome not in _UNDECIDED:
        outcome = pb.OperationOutcome.Name(operation.outcome).removeprefix("OPERATION_OUTCOME_")
        raise conflict(job, f"its operation {operation.index} is decided already: {outcome}")
    return operation


def _executed(job: pb.Job, request: pb.ResolveJobRequest, event: pb.JobEvent) -> None:
    if job.WhichOneof("spec") == "trigger_flow":
        raise _unnameable(job)
    row = event.operations.add()
    row.CopyFrom(_operation(job, request))
    row.outcome = pb.OPERATION_OUTCOME_ADOPTED
    row.ClearField("workflow_instance_ids")
    row.workflow_instance_ids.extend(request.workflow_instance_ids)
    if job.WhichOneof("spec") == "rerun":
        _put(event, job, {pb.RUN_STATE_CREATED: pb.RUN_STATE_STARTING})
    if job.WhichOneof("spec") in _TASKS:
        _put(event, job, {pb.RUN_STATE_CREATING: pb.RUN_STATE_STARTING})


def _not_executed(job: pb.Job, request: pb.ResolveJobRequest, event: pb.JobEvent) -> None:
    row = event.operations.add()
    row.CopyFrom(_operation(job, request))
    row.outcome = pb.OPERATION_OUTCOME_NOT_SENT
    row.ClearField("operation_id")


def _abandon(job: pb.Job, _: pb.ResolveJobRequest, event: pb.JobEvent) -> None:
    event.state = pb.JOB_STATE_FAILED
    event.error.CopyFrom(job.error)
    left = {state: pb.RUN_STATE_UNRESOLVED for state in pb.RunState.values() if state not in RUN_TERMINAL}
    _put(event, job, {**left, pb.RUN_STATE_PLANNED: pb.RUN_STATE_SKIPPED})


def _put(event: pb.JobEvent, job: pb.Job, changes: Mapping[pb.RunState.ValueType, pb.RunState.ValueType]) -> None:
    for run in job.runs:
        if (state := changes.get(run.state)) is not None:
            row = event.runs.add()
            row.CopyFrom(run)
            row.state = state
            if state == pb.RUN_STATE_STARTING and job.WhichOneof("spec") in _RERUNS:
                row.started_by = pb.STARTED_BY_HEADGATE
    if event.runs:
        changed = {run.index: run for run in event.runs}
        event.counts.CopyFrom(event_log.count_runs(changed.get(run.index, run) for run in job.runs))


def _unnameable(job: pb.Job) -> Refused:
    return conflict(job, "its flow instance can't be named here; give the job up")


_DECISIONS: Final[Mapping[pb.Resolution.ValueType, Callable[[pb.Job, pb.ResolveJobRequest, pb.JobEvent], None]]] = {
    pb.RESOLUTION_EXECUTED: _executed,
    pb.RESOLUTION_NOT_EXECUTED: _not_executed,
    pb.RESOLUTION_ABANDON: _abandon,
}
