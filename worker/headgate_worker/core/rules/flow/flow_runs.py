"""What EnOS says of one flow instance, as its job's run sees it. Only the status decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headgate import pb
from headgate.job.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.failures import FINAL_REFUSALS
from headgate_worker.core.facts.runs import THIS_JOB, Stopper, differs, stopped
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Call, Failure, FailureKind, OutcomeOf, StopRecord
from headgate_worker.core.model.flow_calls import FlowCancelled
from headgate_worker.core.model.steps import Change, run_with, runs_changed, timestamp
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.rules import diagnosis

STATES: Final[Mapping[pb.FlowInstanceStatus.ValueType, pb.RunState.ValueType]] = {
    pb.FLOW_INSTANCE_STATUS_INIT: pb.RUN_STATE_STARTING,
    pb.FLOW_INSTANCE_STATUS_READY: pb.RUN_STATE_STARTING,
    pb.FLOW_INSTANCE_STATUS_WAIT: pb.RUN_STATE_STARTING,
    pb.FLOW_INSTANCE_STATUS_RUNNING: pb.RUN_STATE_RUNNING,
    pb.FLOW_INSTANCE_STATUS_SUSPEND: pb.RUN_STATE_RUNNING,
    pb.FLOW_INSTANCE_STATUS_RERUN: pb.RUN_STATE_RUNNING,
    pb.FLOW_INSTANCE_STATUS_SUCCESS: pb.RUN_STATE_SUCCEEDED,
    pb.FLOW_INSTANCE_STATUS_FAIL: pb.RUN_STATE_FAILED,
    pb.FLOW_INSTANCE_STATUS_INTERNAL_ERROR: pb.RUN_STATE_FAILED,
    pb.FLOW_INSTANCE_STATUS_TIMEOUT: pb.RUN_STATE_FAILED,
    pb.FLOW_INSTANCE_STATUS_CANCEL: pb.RUN_STATE_STOPPED,
    pb.FLOW_INSTANCE_STATUS_SKIP: pb.RUN_STATE_SKIPPED,
}
"""Status to run state. A status that is newer than this file changes nothing, and never ends a run.

Which statuses are final is assumed; no page says so (reference: 7.3).
"""


def absorb_read(view: View, call: Call, subject: int, outcome: OutcomeOf[pb.FlowInstance]) -> Change:
    """What a read of the instance says."""
    run = view.job.runs[subject]
    if run.state in RUN_TERMINAL:
        return Change((), view.hints.settled())
    if isinstance(outcome, Failure):
        return _unreadable(view, run, outcome)
    seen = outcome.body
    row = _attributed(view, _unstoppable(view, observed(run, seen)), outcome.stops)
    said = f"instance {seen.instance_id} is {row.upstream_status or 'in an unknown status'}"
    hints = _next(view, row)
    if row.state == pb.RUN_STATE_FAILED:
        hints = diagnosis.opened_flow(view, row, failed_task(seen), hints)
    return Change((runs_changed(row, message=said),) if differs(run, row) else (), hints)


def observed(run: pb.InstanceRun, seen: pb.FlowInstance) -> pb.InstanceRun:
    """The run's row after its instance was read."""
    row = run_with(
        run,
        state=STATES.get(seen.status, run.state),
        upstream_status=seen.status_desc or str(seen.status_raw),
        observe_time=seen.observe_time,
    )
    if seen.HasField("start_time_utc"):
        row.started_time.CopyFrom(seen.start_time_utc)
    if seen.HasField("end_time_utc") and row.state in RUN_TERMINAL:
        row.finished_time.CopyFrom(seen.end_time_utc)
    if row.state == pb.RUN_STATE_FAILED:
        said = f"instance {seen.instance_id} ended in {row.upstream_status}{_blamed(seen)}"
        row.error.CopyFrom(errors.status(Reason.RUNS_FAILED, said[:1024], flow_instance_id=seen.instance_id))
    return row


def _attributed(view: View, row: pb.InstanceRun, stops: tuple[StopRecord, ...]) -> pb.InstanceRun:
    """The row with who stopped it; upstream has a status for that, and does not say who."""
    if row.state in (pb.RUN_STATE_STOPPED, pb.RUN_STATE_SKIPPED) and not row.HasField("started_time"):
        row = run_with(row, started_by=None)
    if row.state != pb.RUN_STATE_STOPPED:
        return row
    jobs = [one.job for one in sorted(stops, key=lambda one: one.sent_ms)]
    if row.HasField("stop_time") or view.job.name in jobs:
        return stopped(row, THIS_JOB)
    by = Stopper(pb.STOPPED_BY_ANOTHER_JOB, jobs[0]) if jobs else Stopper(pb.STOPPED_BY_OPERATOR)
    return stopped(row, by)


def failed_task(seen: pb.FlowInstance) -> pb.TaskInstanceGraph | None:
    """The task that the graph shows to have failed, the first of several; None where it shows none."""
    bad = ("FAIL", "INTERNAL_ERROR", "TIMEOUT")
    return next((one for one in seen.graph.tasks if one.status in bad), None)


def _blamed(seen: pb.FlowInstance) -> str:
    task = failed_task(seen)
    return f": task {task.task_name} ({task.task_inst_id}) is {task.status}" if task is not None else ""


def _unstoppable(view: View, row: pb.InstanceRun) -> pb.InstanceRun:
    """The row of a cancel job whose cancel was refused: what has not ended by then does not end on our account."""
    refused = row.index in view.hints.stop_asked_ms and not row.HasField("stop_time")
    if view.kind != "cancel_flow_instance" or not refused or row.state in RUN_TERMINAL:
        return row
    error = errors.status(Reason.UPSTREAM_REFUSED, row.upstream_message or "upstream refused to cancel it")
    return run_with(row, state=pb.RUN_STATE_UNRESOLVED, error=error)


def _next(view: View, row: pb.InstanceRun) -> Hints:
    hints = view.hints.settled()
    if row.state in RUN_TERMINAL:
        return hints.forget(row.index)
    if row.index not in hints.asked_at_ms:
        hints = hints.asked(row.index, view.now_ms)
    return hints.poll(row.index, poll_schedule.next_poll_ms(view, row))


def _unreadable(view: View, run: pb.InstanceRun, failure: Failure) -> Change:
    """A fresh instance may be shown late; after that, one that is gone needs a person."""
    fresh = any(
        view.now_ms < op.intent_time.ToMilliseconds() + view.policy.settle_ms
        for op in view.job.operations
        if op.index == run.operation_index
    )
    if failure.kind is not FailureKind.NOT_FOUND or fresh:
        return Change((), poll_schedule.after_failure(view, failure))
    said = f"instance {run.flow_instance_id} is not there: {failure.message}"[:1024]
    lost = run_with(run, state=pb.RUN_STATE_UNRESOLVED, error=errors.status(Reason.INSTANCE_UNKNOWN, said))
    return Change((runs_changed(lost, message=said),), view.hints.settled().forget(run.index))


def absorb_cancel(view: View, call: Call, subject: int, outcome: OutcomeOf[FlowCancelled]) -> Change:
    """Upstream's reply to a cancel. Whatever it is, the instance is read next, and its status decides."""
    run = view.job.runs[subject]
    if run.state in RUN_TERMINAL:
        return Change((), view.hints.settled())
    if not isinstance(outcome, Failure):
        row = run_with(run, stop_time=timestamp(view.now_ms))
        hints = view.hints.settled().poll(subject, view.now_ms)
        return Change((runs_changed(row, message="cancel accepted"),), hints)
    if outcome.kind not in FINAL_REFUSALS:
        return Change((), poll_schedule.after_failure(view, outcome))
    row = run_with(run, upstream_message=f"{outcome.code}: {outcome.message}"[:1024])
    hints = view.hints.settled().stop_refused(subject, view.now_ms).poll(subject, view.now_ms)
    return Change((runs_changed(row, message="cancel refused"),) if differs(run, row) else (), hints)
