"""Stopping: stop jobs, and cancels. Children before parents, and nothing counts as stopped before it was read ended.

Stop is asynchronous upstream and leaves no status of its own, so the job remembers that it asked (`stop_time`).
"""

from __future__ import annotations

from headgate import pb
from headgate.lifecycle import RUN_FRONTIER, RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core import errors, pacing
from headgate_worker.core.calls import Failure, FailureKind, GetInstance, Outcome, PerInstance, StopInstances
from headgate_worker.core.creating import OPEN, unplaced
from headgate_worker.core.runs import by_instance
from headgate_worker.core.steps import Act, Change, Step, run_with, runs_changed, timestamp
from headgate_worker.core.view import View

_IDLE = frozenset({pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED})


def cancelling(view: View) -> bool:
    """Whether a cancel was asked for and is not confirmed yet."""
    return view.job.state == pb.JOB_STATE_CANCELLING


def overdue(view: View) -> Step | None:
    """Cancel a job that has reached its deadline."""
    job = view.job
    if not job.HasField("deadline_time") or view.now_ms < job.deadline_time.ToMilliseconds() or job.HasField("cancel"):
        return None
    record = pb.CancelRecord(
        actor="headgate",
        reason="the job reached its deadline",
        mode=pb.CANCEL_MODE_STOP,
        request_time=timestamp(view.now_ms),
    )
    error = errors.status(Reason.DEADLINE_PASSED, record.reason)
    draft = pb.JobEvent(
        type=pb.EVENT_TYPE_CANCEL_REQUESTED,
        state=pb.JOB_STATE_CANCELLING,
        cancel=record,
        error=error,
        message=record.reason,
    )
    return Act((draft,))


def drop(view: View) -> Step | None:
    """In a cancel: what was never made is skipped, and with DETACH everything is let go of."""
    if not cancelling(view):
        return None
    detach = view.job.cancel.mode == pb.CANCEL_MODE_DETACH
    error = errors.status(Reason.RUN_SKIPPED, "the job was cancelled first")
    rows = [
        run_with(run, state=pb.RUN_STATE_SKIPPED, error=error)
        for run in view.job.runs
        if run.state not in RUN_TERMINAL and (detach or run.state == pb.RUN_STATE_PLANNED or _never_made(view, run))
    ]
    return Act((runs_changed(*rows, message=f"{len(rows)} runs dropped"),)) if rows else None


def _never_made(view: View, run: pb.InstanceRun) -> bool:
    if run.state != pb.RUN_STATE_CREATING:
        return False
    return view.job.operations[run.operation_index].outcome == pb.OPERATION_OUTCOME_NOT_SENT


def _wants_stop(view: View, run: pb.InstanceRun) -> bool:
    if run.HasField("stop_time") or run.state in RUN_TERMINAL or not run.workflow_instance_id:
        return False
    if view.kind == "stop" and view.job.state == pb.JOB_STATE_RUNNING:
        return True
    if not cancelling(view):
        return False
    # A child that waits would be started by upstream when its parent ends, so a drain stops it too.
    return view.job.cancel.mode != pb.CANCEL_MODE_DRAIN or run.state in _IDLE


def stop(view: View) -> Step | None:
    """Send the stop of everything that is to be stopped, the latest date first: children before parents."""
    rows = [run for run in view.job.runs if _wants_stop(view, run)]
    if not rows:
        return None
    rows.sort(key=lambda run: (run.state in RUN_FRONTIER, run.index if _descending(view) else -run.index))
    ids = tuple(run.workflow_instance_id for run in rows)[: view.policy.batch]
    return Act(call=StopInstances(ids, comment=_comment(view)))


def _descending(view: View) -> bool:
    return view.job.backfill.default_run_properties.order == pb.BACKFILL_ORDER_DESC


def _comment(view: View) -> str:
    return view.job.stop.comment if view.kind == "stop" else view.job.cancel.reason


def absorb_stop(view: View, call: StopInstances, outcome: Outcome) -> Change:
    """What upstream said of each instance that was to be stopped. Whatever it said, the instance is read next."""
    if isinstance(outcome, Failure):
        return _not_stopped(view, call, outcome)
    body = outcome.body
    assert isinstance(body, dict)  # noqa: S101
    runs, hints, rows = by_instance(view.job), view.hints.settled(), []
    for instance_id in call.ids:
        run = runs.get(instance_id)
        if run is not None and run.state not in RUN_TERMINAL:
            answer = body.get(instance_id, PerInstance(success=False, message=""))
            rows.append(run_with(run, stop_time=timestamp(view.now_ms), upstream_message=answer.message[:1024]))
            hints = hints.poll(run.index, view.now_ms)
    return Change((runs_changed(*rows, message=f"stop asked for {len(rows)} instances"),) if rows else (), hints)


def _not_stopped(view: View, call: StopInstances, failure: Failure) -> Change:
    hints = pacing.after_failure(view, failure)
    if failure.kind not in (FailureKind.REFUSED, FailureKind.DENIED, FailureKind.NOT_FOUND) or cancelling(view):
        return Change((), hints)  # a cancel is tried again until its watchdog asks a person
    error = errors.of_failure(failure, "StopWorkflowInstances")
    rows = [
        run_with(run, state=pb.RUN_STATE_UNRESOLVED, error=error)
        for run in view.job.runs
        if run.workflow_instance_id in call.ids and run.state not in RUN_TERMINAL
    ]
    return Change((runs_changed(*rows, message=f"stop refused: {failure.code}"),), hints)


def watch_stopped(view: View) -> Step | None:
    """Read what was asked to stop and never ran: the frontier is read anyway."""
    for run in view.job.runs:
        waits = run.state in _IDLE and run.HasField("stop_time")
        if waits and view.hints.poll_at_ms.get(run.index, 0) <= view.now_ms:
            return Act(call=GetInstance(run.workflow_instance_id), subject=run.index)
    return None


def stuck(view: View) -> Step | None:
    """Ask a person when a cancel stays unconfirmed for too long."""
    job = view.job
    if not cancelling(view) or not job.HasField("cancel"):
        return None
    if view.now_ms - job.cancel.request_time.ToMilliseconds() < view.policy.stop_watchdog_ms:
        return None
    ids = [str(run.workflow_instance_id) for run in job.runs if run.state not in RUN_TERMINAL]
    if not ids and not any(op.outcome in OPEN for op in job.operations) and not unplaced(job):
        return None
    said = f"the stop of {len(ids)} instances stays unconfirmed: {', '.join(ids[:10])}"
    error = errors.status(Reason.UPSTREAM_AMBIGUOUS, said, action="StopWorkflowInstances")
    state = pb.JOB_STATE_NEEDS_ATTENTION
    return Act((pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said),))
