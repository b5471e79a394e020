"""Jobs, rows, operations and views for tests of the core, made short."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.calls import Call, Failure, FailureKind, PerInstance, Reply
from headgate_worker.core.model.steps import Act, Change, Step, apply, timestamp
from headgate_worker.core.model.upstream_call import Body
from headgate_worker.core.model.view import Hints, Policy, View
from headgate_worker.core.planner import absorb

NOW_MS = 1_739_019_600_000
"""The afternoon of seed 000, 2025-02-08."""

FIRST = date(2025, 2, 5)

NOT_RUN = pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN
RUNNING = pb.WORKFLOW_INSTANCE_STATUS_RUNNING
SUCCESS = pb.WORKFLOW_INSTANCE_STATUS_SUCCESS
FAILURE = pb.WORKFLOW_INSTANCE_STATUS_FAILURE


def day(number: int) -> date:
    """The n-th business date, from 0."""
    return FIRST + timedelta(days=number)


def row(number: int, state: pb.RunState.ValueType, **fields: Any) -> pb.InstanceRun:
    """A date's row; with an instance, 100 + its number, from CREATED on."""
    made = state not in (pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING)
    run = pb.InstanceRun(
        index=number,
        biz_date=dates.to_message(day(number)),
        state=state,
        attempt=1,
        operation_index=-1 if state == pb.RUN_STATE_PLANNED else 0,
        workflow_instance_id=100 + number if made else 0,
    )
    run.MergeFrom(pb.InstanceRun(**fields))
    return run


def operation(outcome: pb.OperationOutcome.ValueType, *days: int, **fields: Any) -> pb.UpstreamOperation:
    """A create of some dates, intended now."""
    made = pb.UpstreamOperation(
        action="CreateWorkflowInstances",
        marker="nightly",
        outcome=outcome,
        biz_dates=dates.to_ranges([day(n) for n in days]),
        intent_time=timestamp(NOW_MS),
        attempts=1,
    )
    made.MergeFrom(pb.UpstreamOperation(**fields))
    return made


def confirmed(*days: int, **fields: Any) -> pb.UpstreamOperation:
    """A create that has made the instances 100 + n of some dates."""
    ids = [100 + n for n in days]
    return operation(pb.OPERATION_OUTCOME_CONFIRMED, *days, workflow_instance_ids=ids, **fields)


def spec(count: int = 2, **fields: Any) -> pb.BackfillSpec:
    """A backfill of some dates in a row, one after the other."""
    made = pb.BackfillSpec(
        project_id=1,
        name="nightly",
        biz_dates=dates.to_ranges([day(n) for n in range(count)]),
        default_run_properties=pb.DefaultRunProperties(parallelism=1, root_task_ids=[7]),
    )
    made.MergeFrom(pb.BackfillSpec(**fields))
    return made


def job(*runs: pb.InstanceRun, **fields: Any) -> pb.Job:
    """A running backfill of these rows, unless fields say otherwise."""
    state = fields.pop("state", pb.JOB_STATE_RUNNING)
    until = fields.pop("until", pb.UNTIL_FINISHED)
    kinds = {"create", "start", "stop", "rerun", "adhoc", "backfill"}
    if not kinds & fields.keys():
        fields["backfill"] = spec(max(1, len(runs)))
    made = pb.Job(name="jobs/t", uid="uid-of-t", revision=5, state=state, until=until, runs=runs, **fields)
    for name in ("create_time", "update_time", "start_time"):
        if not made.HasField(name):
            getattr(made, name).CopyFrom(timestamp(NOW_MS - 600_000))
    return made


def cancel(mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_STOP, *, at_ms: int = NOW_MS) -> dict[str, Any]:
    """The fields of a job whose cancel was asked for."""
    record = pb.CancelRecord(actor="me", reason="enough", mode=mode, request_time=timestamp(at_ms))
    return {"state": pb.JOB_STATE_CANCELLING, "cancel": record}


NO_STARTER: Final = ({"state": pb.JOB_STATE_PAUSED}, cancel(), {"create": pb.CreateWorkflowInstancesSpec()})
"""Fields of jobs that must not start anything."""


def view(of: pb.Job, hints: Hints | None = None, *, now_ms: int = NOW_MS, **fields: Any) -> View:
    """A view of a job, now."""
    return View(of, hints or Hints(), now_ms, policy=Policy(**fields))


def seen(instance_id: int, status: pb.WorkflowInstanceStatus.ValueType, **fields: Any) -> pb.WorkflowInstance:
    """An instance as it was read; 100 + n has the n-th date."""
    words = {NOT_RUN: "NotRun", RUNNING: "Running", SUCCESS: "Success", FAILURE: "Failure"}
    made = pb.WorkflowInstance(id=instance_id, name="nightly", status=status, status_raw=words.get(status, "?"))
    made.biz_date.CopyFrom(dates.to_message(day(instance_id - 100)))
    made.create_time.CopyFrom(timestamp(NOW_MS))
    made.observe_time.CopyFrom(timestamp(NOW_MS))
    if status != NOT_RUN:
        made.started_time.CopyFrom(timestamp(NOW_MS - 1_000))
    made.MergeFrom(pb.WorkflowInstance(**fields))
    return made


def reply(body: Body) -> Reply[Body]:
    """An answer."""
    return Reply(body, "request-1", 0.02)


def failure(kind: FailureKind, **fields: Any) -> Failure:
    """A failed call."""
    return Failure(kind, f"code.{kind.value}", "so it is", **fields)


def blocked_on(parent: int) -> PerInstance:
    """A start that must wait, in the words of seed 000."""
    message = f"Because of parallelism config, wait for parent workflowInstance[{parent}] to finish"
    return PerInstance(success=False, message=message)


def taken(of: View, change: Change) -> pb.Job:
    """The job once a change is committed."""
    return apply(of.job, change.drafts, now_ms=of.now_ms)[0]


def acted(step: Step | None) -> Act:
    """The step as an act."""
    assert isinstance(step, Act), step
    return step


def committed(of: View, step: Step | None) -> pb.Job:
    """The job once a step's events are committed."""
    assert isinstance(step, Act), step
    return apply(of.job, step.drafts, now_ms=of.now_ms)[0]


def absorbed(of: View, call: Call, body: object, subject: int = -1) -> Change:
    """What an answer, or a failure, changes."""
    return absorb(of, Act(call=call, subject=subject), body if isinstance(body, Failure) else reply(body))


def states(of: pb.Job) -> list[str]:
    """The states of a job's runs, in short."""
    return [pb.RunState.Name(run.state).removeprefix("RUN_STATE_") for run in of.runs]


def reason(error: Any) -> str:
    """The reason in a status."""
    from google.rpc.error_details_pb2 import ErrorInfo

    info = ErrorInfo()
    assert error.details[0].Unpack(info)
    return str(info.reason)
