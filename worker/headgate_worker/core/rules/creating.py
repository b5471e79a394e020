"""Creating instances: intent before effect, then the wait for upstream's asynchronous answer, then ids mapped to dates.

Rules return a step or None; absorbers turn an outcome into a change. A create that failed without doing anything is
sent again; one whose outcome is not known is left to `reconciling`.
"""

from __future__ import annotations

from datetime import date
from itertools import takewhile
from typing import Final

from headgate import pb
from headgate.backfill import dates, marker
from headgate.job.lifecycle import RUN_TERMINAL
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.create_windows import Ranges, create_spec, made_ms, next_ranges
from headgate_worker.core.facts.durations import typical_ms
from headgate_worker.core.facts.job_kinds import date_key, newest_first
from headgate_worker.core.facts.operations import OPEN, made, refused, to_be_sent_again
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import (
    Call,
    CreateInstances,
    ExecuteAdhoc,
    Failure,
    FailureKind,
    OutcomeOf,
    RerunInstances,
)
from headgate_worker.core.model.steps import (
    Act,
    Change,
    Step,
    operation_changed,
    operation_with,
    run_with,
    timestamp,
    with_request_id,
)
from headgate_worker.core.model.view import View
from headgate_worker.core.rules.failure_policy import awaiting, halted
from headgate_worker.core.rules.surveying import pending

_ACTION_OF: Final = {
    "create": "CreateWorkflowInstances",
    "backfill": "CreateWorkflowInstances",
    "adhoc": "ExecuteAdhocWorkflowInstance",
    "rerun": "RerunWorkflowInstances",
}


def create(view: View) -> Step | None:
    """Intend the next call that makes instances, and send it; also one that was provably not executed before."""
    if view.kind not in _ACTION_OF or view.job.state != pb.JOB_STATE_RUNNING:
        return None
    if any(op.outcome in OPEN for op in view.job.operations) or pending(view) or halted(view):
        return None
    again = [op for op in view.job.operations if to_be_sent_again(view.job, op)]
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


def _next_operation(view: View) -> pb.UpstreamOperation | None:
    operations = view.job.operations
    row = pb.UpstreamOperation(index=len(operations), action=_ACTION_OF[view.kind], marker=instance_name(view))
    if view.kind == "backfill":
        ranges = _next_ranges(view)
        return operation_with(row, biz_dates=ranges) if ranges else None
    if operations:
        return None
    return operation_with(row, biz_dates=view.job.create.periods.biz_dates) if view.kind == "create" else row


def _next_ranges(view: View) -> Ranges:
    unfinished = sum(run.state not in RUN_TERMINAL and run.state != pb.RUN_STATE_PLANNED for run in view.runs)
    return next_ranges(view.job.backfill, _planned(view), unfinished, typical_ms(view), made_ms(view.job))


def _planned(view: View) -> list[date]:
    """The dates that may be created next.

    While failed dates wait, so do those that were called back for them. What is created again must not reach past a
    date that exists already: that one would then run too late.
    """
    waits = bool(awaiting(view))
    rows = [run for run in view.runs if run.state == pb.RUN_STATE_PLANNED and not (waits and run.recalls + run.retries)]
    if not any(run.recalls + run.retries for run in rows):
        return [dates.from_message(run.biz_date) for run in rows]
    newest = newest_first(view.job)
    order = sorted([run for run in view.runs if run.state not in RUN_TERMINAL], key=date_key, reverse=newest)
    first = next(n for n, run in enumerate(order) if run.state == pb.RUN_STATE_PLANNED)
    stretch = takewhile(lambda run: run.state == pb.RUN_STATE_PLANNED, order[first:])
    return [dates.from_message(run.biz_date) for run in stretch]


def _covered(view: View, operation: pb.UpstreamOperation) -> list[pb.InstanceRun]:
    """The rows that the operation is to create, now CREATING."""
    if view.kind == "rerun":
        return []
    days = set(dates.walk(operation.biz_dates))
    return [
        run_with(run, state=pb.RUN_STATE_CREATING, operation_index=operation.index)
        for run in view.runs
        if run.state == pb.RUN_STATE_PLANNED and (not days or dates.from_message(run.biz_date) in days)
    ]


def instance_name(view: View) -> str:
    """The DataWorks name of what the job makes: the caller's, and if another job gave that first, one of its own.

    It is what a search for a lost create goes by, so no two jobs may send the same.
    """
    name = str(getattr(view.job, view.kind).name)
    return marker.marked(name, view.job.uid) if view.marked else name[: marker.MOST_NAME]


def _call(view: View, operation: pb.UpstreamOperation) -> Call:
    job = view.job
    if view.kind == "rerun":
        return RerunInstances(job.rerun)
    if view.kind == "adhoc":
        adhoc = pb.ExecuteAdhocWorkflowInstanceSpec()
        adhoc.CopyFrom(job.adhoc)
        adhoc.name = operation.marker
        return ExecuteAdhoc(adhoc)
    if view.kind == "create":
        create = pb.CreateWorkflowInstancesSpec()
        create.CopyFrom(job.create)
        create.name = operation.marker
        return CreateInstances(create)
    return CreateInstances(create_spec(job.backfill, operation.marker, operation.biz_dates))


def absorb_create(view: View, subject: int, outcome: OutcomeOf[int | str]) -> Change:
    """What became of a call that makes instances."""
    operation = with_request_id(view.job.operations[subject], outcome)
    if isinstance(outcome, Failure):
        return not_executed(view, operation, outcome)
    if isinstance(outcome.body, int):
        return made(view, operation, (outcome.body,))
    accepted = operation_with(operation, outcome=pb.OPERATION_OUTCOME_ACCEPTED, operation_id=str(outcome.body))
    return Change((operation_changed(accepted, message=f"{operation.action} accepted"),), view.hints.settled())


def not_executed(view: View, operation: pb.UpstreamOperation, failure: Failure) -> Change:
    """What a failed call that is not safe to repeat changes: it is sent again, searched for, or given up."""
    hints = poll_schedule.after_failure(view, failure)
    if failure.kind in (FailureKind.THROTTLED, FailureKind.FROZEN, FailureKind.TRANSIENT):
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_NOT_SENT)
        draft = operation_changed(row, message=f"{operation.action} not executed: {failure.code}")
        draft.type = _WAITS.get(failure.kind, pb.EVENT_TYPE_RETRY_SCHEDULED)
        return Change((draft,), hints)
    if failure.kind is FailureKind.AMBIGUOUS:
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
        said = f"{operation.action}: {failure.code}: {failure.message}"[:1024]
        return Change((operation_changed(row, message=said),), hints)
    return Change(refused(view, operation, errors.of_failure(failure, operation.action)), hints)


_WAITS: Final = {
    FailureKind.THROTTLED: pb.EVENT_TYPE_THROTTLED,
    FailureKind.FROZEN: pb.EVENT_TYPE_THROTTLED,
}
