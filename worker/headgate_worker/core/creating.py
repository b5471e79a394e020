"""Creating instances: intent before effect, then the wait for upstream's asynchronous answer, then ids mapped to dates.

Rules return a step or None; absorbers turn an outcome into a change. A create that failed without doing anything is
sent again; one whose outcome is not known is left to `reconciling`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from google.rpc.status_pb2 import Status

from headgate import dates, pb
from headgate.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core import errors, pacing
from headgate_worker.core.calls import (
    Call,
    CreateInstances,
    ExecuteAdhoc,
    Failure,
    FailureKind,
    GetCreateResult,
    GetInstance,
    GetRerunResult,
    OperationResult,
    OperationStatus,
    Outcome,
    RerunInstances,
)
from headgate_worker.core.kinds import newest_first, starts_itself
from headgate_worker.core.runs import NOT_STARTED, observe
from headgate_worker.core.steps import (
    Act,
    Change,
    Step,
    operation_changed,
    operation_with,
    run_with,
    runs_changed,
    timestamp,
)
from headgate_worker.core.view import View

DEFAULT_AHEAD: Final = 60
"""Instances that may stand created but not finished when the caller did not say (BackfillSpec.max_created_ahead)."""

_ACTION_OF: Final = {
    "create": "CreateWorkflowInstances",
    "backfill": "CreateWorkflowInstances",
    "adhoc": "ExecuteAdhocWorkflowInstance",
    "rerun": "RerunWorkflowInstances",
}

OPEN: Final = frozenset({pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS})
"""Outcomes that nobody knows: nothing may be sent before they are reconciled."""

MADE: Final = frozenset({pb.OPERATION_OUTCOME_CONFIRMED, pb.OPERATION_OUTCOME_ADOPTED})
"""Outcomes of an operation that was executed."""


def create(view: View) -> Step | None:
    """Intend the next call that makes instances, and send it; also one that was provably not executed before."""
    if view.kind not in _ACTION_OF or view.job.state != pb.JOB_STATE_RUNNING:
        return None
    if any(op.outcome in OPEN for op in view.job.operations):
        return None
    again = [op for op in view.job.operations if _to_be_sent_again(view.job, op)]
    operation = again[0] if again else _next_operation(view)
    if operation is None:
        return None
    intended = operation_with(
        operation,
        outcome=pb.OPERATION_OUTCOME_INTENDED,
        attempts=operation.attempts + 1,
        intent_time=timestamp(view.now_ms),
    )
    draft = operation_changed(intended, *_covered(view, intended), message=f"{intended.action} intended")
    return Act((draft,), _call(view, intended), intended.index)


def _to_be_sent_again(job: pb.Job, operation: pb.UpstreamOperation) -> bool:
    """Whether it was provably not executed and still has something to make."""
    if operation.outcome != pb.OPERATION_OUTCOME_NOT_SENT:
        return False
    mine = [run for run in job.runs if run.operation_index == operation.index]
    return not mine or any(run.state == pb.RUN_STATE_CREATING for run in mine)


def _next_operation(view: View) -> pb.UpstreamOperation | None:
    operations = view.job.operations
    row = pb.UpstreamOperation(index=len(operations), action=_ACTION_OF[view.kind], marker=_name(view.job))
    if view.kind == "backfill":
        ranges = _next_ranges(view)
        return operation_with(row, biz_dates=ranges) if ranges else None
    if operations:
        return None
    return operation_with(row, biz_dates=view.job.create.periods.biz_dates) if view.kind == "create" else row


def _next_ranges(view: View) -> tuple[pb.DateRange, ...]:
    """The dates of the next call: as many as fit the window, at most 7 ranges, in the order they are to run."""
    spec, runs = view.job.backfill, view.job.runs
    planned = [dates.from_message(run.biz_date) for run in runs if run.state == pb.RUN_STATE_PLANNED]
    unfinished = sum(run.state not in RUN_TERMINAL and run.state != pb.RUN_STATE_PLANNED for run in runs)
    window = spec.max_created_ahead or DEFAULT_AHEAD
    # A window that is nearly full waits until it is half empty: many small creates would cost more of the quota.
    if not planned or window - unfinished < min(len(planned), max(1, window // 2)):
        return ()
    # What starts itself would run beside the dates of the create before, and exceed the parallelism.
    if unfinished and starts_itself(view):
        return ()
    return _first_call(planned, window - unfinished, newest=newest_first(view.job))


def _first_call(planned: list[date], room: int, *, newest: bool) -> tuple[pb.DateRange, ...]:
    ranges = dates.to_ranges(sorted(sorted(planned, reverse=newest)[:room]))
    return ranges[-dates.MAX_RANGES_PER_CALL :] if newest else ranges[: dates.MAX_RANGES_PER_CALL]


def _covered(view: View, operation: pb.UpstreamOperation) -> list[pb.InstanceRun]:
    """The rows that the operation is to create, now CREATING."""
    if view.kind == "rerun":
        return []
    days = set(dates.walk(operation.biz_dates))
    return [
        run_with(run, state=pb.RUN_STATE_CREATING, operation_index=operation.index)
        for run in view.job.runs
        if run.state == pb.RUN_STATE_PLANNED and (not days or dates.from_message(run.biz_date) in days)
    ]


def _name(job: pb.Job) -> str:
    spec = job.WhichOneof("spec")
    return str(getattr(job, spec).name) if spec else ""


def _call(view: View, operation: pb.UpstreamOperation) -> Call:
    job = view.job
    if view.kind == "adhoc":
        return ExecuteAdhoc(job.adhoc)
    if view.kind == "rerun":
        return RerunInstances(job.rerun)
    if view.kind == "create":
        return CreateInstances(job.create)
    return CreateInstances(backfill_create(job.backfill, operation))


def backfill_create(spec: pb.BackfillSpec, operation: pb.UpstreamOperation) -> pb.CreateWorkflowInstancesSpec:
    """What one call of a backfill asks of upstream."""
    return pb.CreateWorkflowInstancesSpec(
        project_id=spec.project_id,
        env_type=spec.env_type,
        workflow_id=spec.workflow_id,
        name=operation.marker,
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        periods=pb.Periods(biz_dates=operation.biz_dates, start_time=spec.start_time, end_time=spec.end_time),
        workflow_parameters=spec.workflow_parameters,
        task_parameters=spec.task_parameters,
        auto_start_enabled=spec.start_mode == pb.START_MODE_UPSTREAM,
        default_run_properties=spec.default_run_properties,
        comment=spec.comment,
        tags=spec.tags,
        extra=spec.extra if spec.HasField("extra") else None,
    )


def absorb_create(view: View, subject: int, outcome: Outcome) -> Change:
    """What became of a call that makes instances."""
    operation = view.job.operations[subject]
    operation = operation_with(
        operation,
        upstream_request_ids=[*operation.upstream_request_ids, *filter(None, [outcome.request_id])],
    )
    if isinstance(outcome, Failure):
        return _not_created(view, operation, outcome)
    if isinstance(outcome.body, int):
        return _made(view, operation, (outcome.body,))
    accepted = operation_with(operation, outcome=pb.OPERATION_OUTCOME_ACCEPTED, operation_id=str(outcome.body))
    return Change((operation_changed(accepted, message=f"{operation.action} accepted"),), view.hints.settled())


def _not_created(view: View, operation: pb.UpstreamOperation, failure: Failure) -> Change:
    hints = pacing.after_failure(view, failure)
    if failure.kind in (FailureKind.THROTTLED, FailureKind.FROZEN, FailureKind.TRANSIENT):
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_NOT_SENT)
        draft = operation_changed(row, message=f"{operation.action} not executed: {failure.code}")
        draft.type = _WAITS.get(failure.kind, pb.EVENT_TYPE_RETRY_SCHEDULED)
        return Change((draft,), hints)
    if failure.kind is FailureKind.AMBIGUOUS:
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
        return Change((operation_changed(row, message=f"{operation.action}: {failure.code}"),), hints)
    return Change(refused(view, operation, errors.of_failure(failure, operation.action)), hints)


_WAITS: Final = {
    FailureKind.THROTTLED: pb.EVENT_TYPE_THROTTLED,
    FailureKind.FROZEN: pb.EVENT_TYPE_THROTTLED,
}


def refused(view: View, operation: pb.UpstreamOperation, error: Status) -> tuple[pb.JobEvent, ...]:
    """The drafts for an operation that upstream won't do: its runs have failed, and a job without runs with them."""
    row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_REFUSED)
    failed = [
        run_with(run, state=pb.RUN_STATE_FAILED, error=error) for run in view.job.runs if _hangs_on(view, run, row)
    ]
    draft = operation_changed(row, *failed, message=error.message)
    draft.error.CopyFrom(error)
    if not failed and not view.job.runs and view.job.state in _WORKING:
        draft.state = pb.JOB_STATE_FAILED
    return (draft,)


_WORKING: Final = frozenset({pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED})


def _hangs_on(view: View, run: pb.InstanceRun, operation: pb.UpstreamOperation) -> bool:
    """Whether nothing can become of the run when the operation is refused."""
    if view.kind == "rerun":
        return run.state == pb.RUN_STATE_CREATED
    return run.operation_index == operation.index and run.state == pb.RUN_STATE_CREATING


def confirm(view: View) -> Step | None:
    """Ask what has become of an accepted create or rerun."""
    pending = [op for op in view.job.operations if op.outcome == pb.OPERATION_OUTCOME_ACCEPTED]
    if not pending or view.now_ms < view.hints.operation_poll_at_ms:
        return None
    result = GetRerunResult if view.kind == "rerun" else GetCreateResult
    return Act(call=result(pending[0].operation_id), subject=pending[0].index)


def absorb_result(view: View, subject: int, outcome: Outcome) -> Change:
    """What an asynchronous create or rerun has come to."""
    operation = view.job.operations[subject]
    if isinstance(outcome, Failure):
        return _no_result(view, operation, outcome)
    result = outcome.body
    assert isinstance(result, OperationResult)  # noqa: S101  # the adapter's contract, told to the type checker
    if result.status is OperationStatus.DONE:
        return _made(view, operation, result.instance_ids)
    if result.status is OperationStatus.PENDING:
        again_ms = pacing.look_again_ms(view, operation.intent_time.ToMilliseconds())
        return Change((), replace(view.hints.settled(), operation_poll_at_ms=again_ms))
    said = f"{operation.action}: {result.failure_message}"[:1024]
    error = errors.status(Reason.CREATE_FAILED, said, upstream_request_id=outcome.request_id)
    return Change(refused(view, operation, error), view.hints.settled())


def _no_result(view: View, operation: pb.UpstreamOperation, failure: Failure) -> Change:
    hints = pacing.after_failure(view, failure)
    if failure.kind is not FailureKind.NOT_FOUND or hints.failures < FORGOTTEN_AFTER:
        return Change((), hints)
    row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
    return Change((operation_changed(row, message=f"upstream has forgotten operation {row.operation_id}"),), hints)


FORGOTTEN_AFTER: Final = 5
"""Failed looks at an operation, the last one finding nothing, after which its instances are searched for instead."""


def _made(view: View, operation: pb.UpstreamOperation, ids: tuple[int, ...]) -> Change:
    hints = replace(view.hints.settled(), operation_poll_at_ms=0)
    if not ids and view.kind != "rerun":
        # Done, and nothing to show for it: what was made is searched for, and never made a second time.
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
        return Change((operation_changed(row, message=f"{operation.action} is done and names no instances"),), hints)
    row = operation_with(
        operation, outcome=pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=list(dict.fromkeys(ids))
    )
    return Change(
        (made_draft(view, row, f"{operation.action} made {len(row.workflow_instance_ids)} instances"),), hints
    )


def made_draft(view: View, row: pb.UpstreamOperation, said: str) -> pb.JobEvent:
    """The draft for an operation that was executed; the instances of a rerun run from then on."""
    if view.kind != "rerun":
        return operation_changed(row, message=said)
    runs = [
        run_with(run, state=pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)
        for run in view.job.runs
        if run.state == pb.RUN_STATE_CREATED
    ]
    return operation_changed(row, *runs, message=f"{row.action} was executed")


def unplaced(job: pb.Job) -> list[tuple[pb.UpstreamOperation, int]]:
    """Instances that exist but whose date was not read yet, with the operation that made them."""
    placed = {run.workflow_instance_id for run in job.runs}
    return [
        (op, instance_id)
        for op in job.operations
        if op.outcome in MADE
        for instance_id in _left_to_place(job, op, placed)
    ]


def _left_to_place(job: pb.Job, operation: pb.UpstreamOperation, placed: set[int]) -> list[int]:
    """The operation's instances that stand on no row, unless the rows they stood on were given to later attempts."""
    left = [instance_id for instance_id in operation.workflow_instance_ids if instance_id not in placed]
    if not left:
        return left
    days = set(dates.walk(operation.biz_dates))
    later = [run for run in job.runs if run.attempt > 1 and run.operation_index != operation.index]
    given_away = sum(run.HasField("biz_date") and dates.from_message(run.biz_date) in days for run in later)
    return left if len(left) > given_away else []


def place(view: View) -> Step | None:
    """Read an instance whose date is not known: ids are mapped to dates by reading them, never by position."""
    waiting = unplaced(view.job)
    if not waiting:
        return None
    operation, instance_id = waiting[0]
    return Act(call=GetInstance(instance_id), subject=operation.index)


def absorb_place(view: View, subject: int, call: GetInstance, outcome: Outcome) -> Change:
    """Put an instance that was read for the first time on the row of its date."""
    if isinstance(outcome, Failure):
        return _unreadable(view, subject, call, outcome)
    seen = outcome.body
    assert isinstance(seen, pb.WorkflowInstance)  # noqa: S101  # the adapter's contract, told to the type checker
    row = run_with(_row_for(view.job, subject, seen), workflow_instance_id=call.id, state=pb.RUN_STATE_CREATED)
    if view.kind == "adhoc":
        row = run_with(row, state=pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)
    elif starts_itself(view) and seen.status not in NOT_STARTED:
        row = run_with(row, started_by=pb.STARTED_BY_UPSTREAM)
    return Change((runs_changed(observe(row, seen, stopping=False)),), view.hints.settled())


def _row_for(job: pb.Job, operation_index: int, seen: pb.WorkflowInstance) -> pb.InstanceRun:
    """The row that waits for this instance, or a new one at the end for an instance nobody had planned."""
    for run in _waiting_rows(job, operation_index):
        if not run.HasField("biz_date") or run.biz_date == seen.biz_date:
            return run
    return pb.InstanceRun(index=len(job.runs), operation_index=operation_index, attempt=1)


def _waiting_rows(job: pb.Job, operation_index: int) -> list[pb.InstanceRun]:
    return [run for run in job.runs if run.operation_index == operation_index and run.state == pb.RUN_STATE_CREATING]


def _unreadable(view: View, subject: int, call: GetInstance, failure: Failure) -> Change:
    """Fresh instances may be shown late; after that, one that can't be read is nobody's guess."""
    hints, operation = pacing.after_failure(view, failure), view.job.operations[subject]
    settled_ms = operation.intent_time.ToMilliseconds() + view.policy.settle_ms
    if failure.kind is not FailureKind.NOT_FOUND or view.now_ms < settled_ms:
        return Change((), hints)
    waiting = _waiting_rows(view.job, subject)
    fresh = pb.InstanceRun(index=len(view.job.runs), operation_index=subject, attempt=1)
    error = errors.of_failure(failure, "GetWorkflowInstance")
    lost = run_with(
        waiting[0] if waiting else fresh, workflow_instance_id=call.id, state=pb.RUN_STATE_UNRESOLVED, error=error
    )
    return Change((runs_changed(lost, message="an instance that was made can't be read"),), hints.settled())


def missing(view: View) -> Step | None:
    """Fail the runs of an operation that is done and made no instance for their date: nothing will ever run."""
    if unplaced(view.job):
        return None
    made = {op.index for op in view.job.operations if op.outcome in MADE}
    error = errors.status(Reason.CREATE_FAILED, "upstream made no instance for this date")
    lost = [
        run_with(run, state=pb.RUN_STATE_FAILED, error=error)
        for run in view.job.runs
        if run.state == pb.RUN_STATE_CREATING and run.operation_index in made
    ]
    return Act((runs_changed(*lost, message="no instance was made for some dates"),)) if lost else None


def done(job: pb.Job) -> bool:
    """Whether every intended operation is done, or given up before it was sent, and every instance is on its row."""
    closed = MADE | {pb.OPERATION_OUTCOME_REFUSED}
    settled = all(op.outcome in closed or _given_up(job, op) for op in job.operations)
    return bool(job.operations) and settled and not unplaced(job)


def _given_up(job: pb.Job, operation: pb.UpstreamOperation) -> bool:
    return operation.outcome == pb.OPERATION_OUTCOME_NOT_SENT and not _to_be_sent_again(job, operation)
