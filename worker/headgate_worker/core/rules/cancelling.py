"""Cancels: the deadline that asks for one, what is dropped without a call, and the watchdog behind it."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.job.lifecycle import RUN_FRONTIER, RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts.operations import OPEN, unplaced
from headgate_worker.core.model import errors
from headgate_worker.core.model.steps import Act, Step, run_with, runs_changed, timestamp
from headgate_worker.core.model.view import View
from headgate_worker.core.rules.stopping import cancelling

BY_DEADLINE = "headgate"
"""Actor of the cancel that a deadline asks for."""

_CANCELLED = frozenset({pb.JOB_STATE_CANCELLING, pb.JOB_STATE_NEEDS_ATTENTION})

_PENDING = OPEN | {pb.OPERATION_OUTCOME_ACCEPTED}


def overdue(view: View) -> Step | None:
    """Cancel a job that has reached its deadline; one that only drains is stopped from then on."""
    job = view.job
    # A job that goes on after its cancel, such as one that is retried, has a deadline again.
    asked = job.state in _CANCELLED and job.HasField("cancel") and job.cancel.mode != pb.CANCEL_MODE_DRAIN
    if asked or not job.HasField("deadline_time") or view.now_ms < job.deadline_time.ToMilliseconds():
        return None
    record = pb.CancelRecord(
        actor=BY_DEADLINE,
        reason="the job reached its deadline",
        mode=pb.CANCEL_MODE_STOP,
        request_time=timestamp(view.now_ms),
    )
    draft = pb.JobEvent(
        type=pb.EVENT_TYPE_CANCEL_REQUESTED,
        state=pb.JOB_STATE_CANCELLING,
        cancel=record,
        error=errors.status(Reason.DEADLINE_PASSED, record.reason),
        message=record.reason,
    )
    return Act((draft,))


def drop(view: View) -> Step | None:
    """Let go of what needs no stop: what was never made or begun, and with DETACH everything."""
    if not cancelling(view):
        return None
    rows = [row for run in view.runs if run.state not in RUN_TERMINAL for row in _dropped(view, run)]
    return Act((runs_changed(*rows, message=f"{len(rows)} runs dropped"),)) if rows else None


def _dropped(view: View, run: pb.InstanceRun) -> list[pb.InstanceRun]:
    if _untouched(view, run):
        return [run_with(run, state=pb.RUN_STATE_SKIPPED, error=_let_go("the job was cancelled first"))]
    if view.job.cancel.mode == pb.CANCEL_MODE_DETACH:
        return [run_with(run, state=pb.RUN_STATE_UNRESOLVED, error=_let_go("the job let go of it"))]
    return []


def _let_go(why: str) -> Status:
    return errors.status(Reason.RUN_SKIPPED, why)


def _untouched(view: View, run: pb.InstanceRun) -> bool:
    """Whether this job has surely asked nothing of upstream for the run that could still come true."""
    job = view.job
    if run.state == pb.RUN_STATE_PLANNED:
        return True
    if run.state == pb.RUN_STATE_CREATING:
        return job.operations[run.operation_index].outcome == pb.OPERATION_OUTCOME_NOT_SENT
    if run.state != pb.RUN_STATE_CREATED or run.HasField("stop_time"):
        return False
    if view.kind == "rerun":
        return not any(op.outcome in _PENDING for op in job.operations)
    return view.kind == "stop" or never_began(job)


def never_began(job: pb.Job) -> bool:
    """Whether the job was cancelled before a worker looked at it."""
    return not job.HasField("start_time")


def unconfirmed(job: pb.Job) -> bool:
    """Whether something that the cancel is about is not known to have ended."""
    open_runs = any(run.state not in RUN_TERMINAL for run in job.runs)
    return open_runs or any(op.outcome in _PENDING for op in job.operations) or bool(unplaced(job))


def stuck_at_ms(view: View) -> int | None:
    """When a person is asked about the cancel, if nothing happens before; None while no person is to be asked.

    A drain waits for what runs as long as that takes, and so has a watchdog only after it.
    """
    job = view.job
    if not cancelling(view) or not unconfirmed(job):
        return None
    if job.cancel.mode == pb.CANCEL_MODE_DRAIN and any(run.state in RUN_FRONTIER for run in job.runs):
        return None
    return (
        max(job.update_time.ToMilliseconds(), job.cancel.request_time.ToMilliseconds()) + view.policy.stop_watchdog_ms
    )


def stuck(view: View) -> Step | None:
    """Ask a person when a cancel stays unconfirmed and nothing has happened for too long."""
    at_ms = stuck_at_ms(view)
    if at_ms is None or view.now_ms < at_ms:
        return None
    left = [run for run in view.runs if run.state not in RUN_TERMINAL]
    open_ends = [run for run in left if not _is_held(run, left)]
    ids = [str(run.workflow_instance_id or run.flow_instance_id) for run in open_ends]
    named = ", ".join(filter(None, ids[:10])) or "not known"
    said = f"the end of {len(open_ends)} runs stays unconfirmed; instances: {named}"
    if len(left) > len(open_ends):
        said += f"; {len(left) - len(open_ends)} that wait behind them were stopped before they ran"
    error = errors.status(Reason.UPSTREAM_AMBIGUOUS, said, action="StopWorkflowInstances")
    state = pb.JOB_STATE_NEEDS_ATTENTION
    return Act((pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said),))


def _is_held(run: pb.InstanceRun, left: list[pb.InstanceRun]) -> bool:
    """Whether the run was stopped and never began: it ends as soon as what it waits for has."""
    if run.state != pb.RUN_STATE_BLOCKED or not run.HasField("stop_time"):
        return False
    return any(one.workflow_instance_id == run.blocked_by_id for one in left)


def last_look_ms(view: View, run: pb.InstanceRun) -> int | None:
    """When a run that was stopped before it began is read although its parent runs; None while no cancel waits for it.

    10 % of the time before a person is asked: upstream may have called it Failure, and then it needs no person.
    """
    if stuck_at_ms(view) is None or not run.HasField("stop_time"):
        return None
    at_ms: int = run.stop_time.ToMilliseconds()
    return at_ms + view.policy.stop_watchdog_ms // 10
