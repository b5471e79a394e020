"""Reading instances: which one next, and what a read says. Only the frontier is read: started, and not ended."""

from __future__ import annotations

from headgate import pb
from headgate.lifecycle import RUN_FRONTIER, RUN_TERMINAL
from headgate_worker.core import errors, pacing
from headgate_worker.core.calls import Failure, FailureKind, GetInstance, Outcome
from headgate_worker.core.runs import NOT_STARTED, differs, observe
from headgate_worker.core.starting import restart
from headgate_worker.core.steps import Act, Change, Step, run_with, runs_changed, timestamp
from headgate_worker.core.view import Hints, View


def read(view: View) -> Step | None:
    """Read the run of the frontier that is due, the most overdue first."""
    due = [
        (view.hints.poll_at_ms.get(run.index, 0), run.index)
        for run in view.job.runs
        if run.state in RUN_FRONTIER and view.hints.poll_at_ms.get(run.index, 0) <= view.now_ms
    ]
    if not due:
        return None
    run = view.job.runs[min(due)[1]]
    return Act(call=GetInstance(run.workflow_instance_id), subject=run.index)


def absorb_read(view: View, subject: int, call: GetInstance, outcome: Outcome) -> Change:
    """What a read of a run's instance, or of its parent, says."""
    run = view.job.runs[subject]
    if isinstance(outcome, Failure):
        return _unreadable(view, run, call, outcome)
    seen = outcome.body
    assert isinstance(seen, pb.WorkflowInstance)  # noqa: S101
    if call.id != run.workflow_instance_id:
        return _parent_read(view, run, seen)
    return _own_read(view, run, seen)


def _own_read(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance) -> Change:
    row = observe(run, seen, stopping=run.HasField("stop_time"))
    if row.state == pb.RUN_STATE_STARTING and seen.status in NOT_STARTED and not run.HasField("stop_time"):
        row = restart(view, row)
    if row.state in NOT_YET_STARTED and run.HasField("stop_time") and seen.status in NOT_STARTED:
        row = run_with(row, state=pb.RUN_STATE_STOPPED)  # stopped before it ever ran; upstream has no word for it
    drafts = (runs_changed(row, message=_what(row)),) if differs(run, row) else ()
    return Change(drafts, _next(view, row))


NOT_YET_STARTED = frozenset({pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_STARTING})
"""Run states of an instance that exists and may still be NotRun upstream."""


def _what(row: pb.InstanceRun) -> str:
    return f"instance {row.workflow_instance_id} is {row.upstream_status or 'in an unknown status'}"


def _next(view: View, row: pb.InstanceRun) -> Hints:
    hints = view.hints.settled()
    if row.state in RUN_TERMINAL:
        return hints.forget(row.index)
    return hints.poll(row.index, pacing.next_poll_ms(view, row))


def _parent_read(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance) -> Change:
    if seen.status not in (pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, pb.WORKFLOW_INSTANCE_STATUS_FAILURE):
        return Change((), view.hints.settled().poll(run.index, view.now_ms + view.policy.poll_max_ms))
    row = run_with(run, parent_end_time=timestamp(view.now_ms))
    return Change((runs_changed(row, message=f"parent {seen.id} has ended"),), view.hints.settled().poll(run.index, 0))


def _unreadable(view: View, run: pb.InstanceRun, call: GetInstance, failure: Failure) -> Change:
    hints = pacing.after_failure(view, failure)
    if failure.kind is not FailureKind.NOT_FOUND or call.id != run.workflow_instance_id:
        return Change((), hints)
    error = errors.of_failure(failure, "GetWorkflowInstance")
    lost = run_with(run, state=pb.RUN_STATE_UNRESOLVED, error=error)
    return Change(
        (runs_changed(lost, message=f"instance {call.id} is gone upstream"),), view.hints.settled().forget(run.index)
    )
