"""Ending a job: when it has gone as far as it was to go, and what the failure of one run does to the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headgate import dates, pb
from headgate.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core import errors
from headgate_worker.core.creating import OPEN, done, unplaced
from headgate_worker.core.runs import UNSTARTED, all_terminal
from headgate_worker.core.steps import Act, Step, run_with, runs_changed
from headgate_worker.core.stopping import cancelling
from headgate_worker.core.view import View

_BAD: Final = frozenset({pb.RUN_STATE_FAILED, pb.RUN_STATE_UNRESOLVED})

_HALTED_AT: Final[Mapping[pb.OnFailure.ValueType, frozenset[pb.RunState.ValueType]]] = {
    pb.ON_FAILURE_UNSPECIFIED: UNSTARTED,
    pb.ON_FAILURE_HALT: UNSTARTED,
    pb.ON_FAILURE_DRAIN: frozenset({pb.RUN_STATE_PLANNED}),
    pb.ON_FAILURE_CONTINUE: frozenset(),
}
"""Which runs a failure skips, by policy."""


def halt(view: View) -> Step | None:
    """After a failure, skip what the backfill's policy says is not to run any more."""
    job = view.job
    if view.kind != "backfill" or not any(run.state in _BAD for run in job.runs):
        return None
    skipped = _HALTED_AT.get(job.backfill.on_failure, UNSTARTED) - {pb.RUN_STATE_CREATING}
    first = next(run for run in job.runs if run.state in _BAD)
    error = errors.status(Reason.RUN_SKIPPED, f"not run, since {_label(first)} failed")
    rows = [
        run_with(run, state=pb.RUN_STATE_SKIPPED, error=error, blocked_by_id=None)
        for run in job.runs
        if run.state in skipped
    ]
    return (
        Act((runs_changed(*rows, message=f"{len(rows)} dates skipped, since {_label(first)} failed"),))
        if rows
        else None
    )


def _label(run: pb.InstanceRun) -> str:
    if run.HasField("biz_date"):
        return dates.from_message(run.biz_date).isoformat()
    return f"instance {run.workflow_instance_id}"


def _accepted(view: View) -> bool:
    job = view.job
    if view.kind == "start":
        return all(run.state not in UNSTARTED or run.state == pb.RUN_STATE_BLOCKED for run in job.runs)
    if view.kind == "stop":
        return all(run.HasField("stop_time") or run.state in RUN_TERMINAL for run in job.runs)
    if view.kind == "rerun":
        known = {pb.OPERATION_OUTCOME_CONFIRMED, pb.OPERATION_OUTCOME_REFUSED}
        return bool(job.operations) and all(op.outcome in known for op in job.operations)
    return done(job) and not any(run.state in (pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING) for run in job.runs)


def _started(view: View) -> bool:
    waiting = UNSTARTED | {pb.RUN_STATE_STARTING}
    return _made(view) and all(run.state not in waiting for run in view.job.runs)


def _finished(view: View) -> bool:
    return _made(view) and all_terminal(view.job.runs)


def _made(view: View) -> bool:
    if view.kind in ("start", "stop"):
        return True
    return done(view.job) if view.kind != "rerun" else _accepted(view)


_REACHED: Final[Mapping[pb.Until.ValueType, Callable[[View], bool]]] = {
    pb.UNTIL_ACCEPTED: _accepted,
    pb.UNTIL_STARTED: _started,
    pb.UNTIL_FINISHED: _finished,
}


def conclude(view: View) -> Step | None:
    """End the job when it has gone as far as it was to go."""
    if cancelling(view):
        return _conclude_cancel(view)
    if view.job.state not in (pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED):
        return None
    if not _REACHED[view.job.until](view):
        return None
    failed = _failed(view)
    return _failure(view, failed) if failed else _success(view)


def _failed(view: View) -> list[pb.InstanceRun]:
    """The runs that did not come to what the job wanted. A stop job wants ends, whichever."""
    bad = {pb.RUN_STATE_UNRESOLVED} if view.kind == "stop" else _BAD | {pb.RUN_STATE_SKIPPED, pb.RUN_STATE_STOPPED}
    return [run for run in view.job.runs if run.state in bad]


def _refusal(job: pb.Job) -> pb.UpstreamOperation | None:
    refused = pb.OPERATION_OUTCOME_REFUSED
    return next((op for op in job.operations if op.outcome == refused), None)


def _success(view: View) -> Step:
    if _refusal(view.job) is not None:
        return _ended(pb.JOB_STATE_FAILED, "upstream refused the call", Reason.UPSTREAM_REFUSED)
    draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_SUCCEEDED, message="done")
    return Act((draft,))


def _failure(view: View, failed: list[pb.InstanceRun]) -> Step:
    total = len(view.job.runs)
    own = [run for run in failed if run.state in _BAD] or failed
    said = f"{len(failed)} of {total} runs did not succeed, the first is {_label(own[0])}"
    return _ended(
        pb.JOB_STATE_FAILED,
        said,
        Reason.RUNS_FAILED,
        failed=str(len(failed)),
        total=str(total),
        first_failed=_label(own[0]),
    )


def _ended(state: pb.JobState.ValueType, said: str, reason: Reason, **metadata: str) -> Step:
    error = errors.status(reason, said, **metadata)
    return Act((pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said),))


def _conclude_cancel(view: View) -> Step | None:
    job = view.job
    detach = job.cancel.mode == pb.CANCEL_MODE_DETACH
    unknown = any(op.outcome in OPEN or op.outcome == pb.OPERATION_OUTCOME_ACCEPTED for op in job.operations)
    if not detach and (unknown or unplaced(job) or not all_terminal(job.runs)):
        return None
    if job.cancel.actor == "headgate":
        return _ended(pb.JOB_STATE_FAILED, job.cancel.reason, Reason.DEADLINE_PASSED)
    said = "let go of; what runs upstream runs on" if detach else "cancelled; every instance has ended"
    draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_CANCELLED, message=said)
    return Act((draft,))
