"""Ids mapped to dates: each fresh instance is read once, and put on the row of the date it names, never by position.

An ad hoc call names its one instance in the reply, so that its date decides nothing.
"""

from __future__ import annotations

from dataclasses import replace

from headgate import pb
from headgate.backfill import date_retries
from headgate.reasons import Reason
from headgate_worker.core.facts import attribution, poll_schedule
from headgate_worker.core.facts.operations import MADE, unplaced
from headgate_worker.core.facts.runs import observe
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Failure, FailureKind, GetInstance, OutcomeOf
from headgate_worker.core.model.event_text import label
from headgate_worker.core.model.steps import Act, Change, Step, run_with, runs_changed
from headgate_worker.core.model.view import View
from headgate_worker.core.rules import diagnosis


def place(view: View) -> Step | None:
    """Read an instance whose date is not known: ids are mapped to dates by reading them, never by position."""
    waiting = unplaced(view.job) if view.now_ms >= view.hints.place_at_ms else []
    if not waiting:
        return None
    operation, instance_id = waiting[0]
    return Act(call=GetInstance(instance_id), subject=operation.index)


def absorb_place(view: View, subject: int, call: GetInstance, outcome: OutcomeOf[pb.WorkflowInstance]) -> Change:
    """Put an instance that was read for the first time on the row of its date."""
    if isinstance(outcome, Failure):
        return _unreadable(view, subject, call, outcome)
    seen = outcome.body
    dated = view.kind != "adhoc"
    if (
        dated
        and not seen.HasField("biz_date")
        and any(run.HasField("biz_date") for run in _waiting_rows(view.job, subject))
    ):
        return _unreadable(view, subject, call, _dateless(seen))
    row = run_with(_row_for(view.job, subject, seen), workflow_instance_id=call.id, state=pb.RUN_STATE_CREATED)
    if view.kind == "adhoc":
        row = run_with(row, state=pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)
    stopper = attribution.stopper(view, row, seen, outcome.stops)
    row = observe(row, seen, started_by=attribution.starter(view, row, seen), stopper=stopper)
    said = (
        f"instance {call.id} was made for {label(row)}" if row.HasField("biz_date") else f"instance {call.id} was made"
    )
    return Change((runs_changed(row, message=said),), diagnosis.opened(view, row, seen, view.hints.settled()))


def _goes_by_date(view: View, operation_index: int) -> bool:
    dated = any(run.HasField("biz_date") for run in _waiting_rows(view.job, operation_index))
    return dated and view.kind != "adhoc"


def _dateless(seen: pb.WorkflowInstance) -> Failure:
    return Failure(FailureKind.NOT_FOUND, "no_biz_date", "the instance has no date", seen.upstream_request_id)


def _row_for(job: pb.Job, operation_index: int, seen: pb.WorkflowInstance) -> pb.InstanceRun:
    """The row that waits for this instance, or a new one at the end for an instance that was not planned.

    Of an ad hoc call the reply names the one instance, so that it is the row's whatever date upstream shows.
    """
    named = job.HasField("adhoc")
    for run in _waiting_rows(job, operation_index):
        if named or not run.HasField("biz_date") or run.biz_date == seen.biz_date:
            return run
    return _unplanned(job, operation_index)


def _unplanned(job: pb.Job, operation_index: int) -> pb.InstanceRun:
    """A row for an instance that was not planned: it belongs to the go of its operation."""
    of_it = [date_retries.go(run) for run in job.runs if run.operation_index == operation_index]
    attempt = max(of_it, default=max(1, date_retries.current_go(job.runs)))
    return pb.InstanceRun(index=len(job.runs), operation_index=operation_index, attempt=attempt)


def _waiting_rows(job: pb.Job, operation_index: int) -> list[pb.InstanceRun]:
    return [run for run in job.runs if run.operation_index == operation_index and run.state == pb.RUN_STATE_CREATING]


def _unreadable(view: View, subject: int, call: GetInstance, failure: Failure) -> Change:
    """Fresh instances may be shown late; after that, one that can't be read needs a person."""
    if failure.kind is not FailureKind.NOT_FOUND:
        return Change((), poll_schedule.after_failure(view, failure))
    intent_ms, hints = view.job.operations[subject].intent_time.ToMilliseconds(), view.hints.settled()
    if view.now_ms < intent_ms + view.policy.settle_ms:
        # The others are looked after meanwhile, so this is no failed call that everything waits for.
        return Change((), replace(hints, place_at_ms=poll_schedule.look_again_ms(view, intent_ms)))
    waiting = _waiting_rows(view.job, subject)
    fresh = _unplanned(view.job, subject)
    error = errors.of_failure(failure, "GetWorkflowInstance")
    lost = run_with(
        waiting[0] if waiting else fresh, workflow_instance_id=call.id, state=pb.RUN_STATE_UNRESOLVED, error=error
    )
    return Change((runs_changed(lost, message="an instance that was made can't be read"),), hints)


def missing(view: View) -> Step | None:
    """Fail the runs of an operation that is done and made no instance for their date: nothing will ever run."""
    lost = [run for run in view.runs if run.state == pb.RUN_STATE_CREATING and _is_made(view.job, run)]
    if not lost or unplaced(view.job):
        return None
    error = errors.status(Reason.CREATE_FAILED, "upstream made no instance for this date")
    rows = [run_with(run, state=pb.RUN_STATE_FAILED, error=error) for run in lost]
    return Act((runs_changed(*rows, message="no instance was made for some dates"),))


def _is_made(job: pb.Job, run: pb.InstanceRun) -> bool:
    return job.operations[run.operation_index].outcome in MADE
