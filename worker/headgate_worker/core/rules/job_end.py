"""Ending a job: when it has gone as far as it was to go, and how it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headgate import pb
from headgate.backfill import date_retries
from headgate.backfill.reprocess import is_left_alone
from headgate.job.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts.operations import MADE, done, each_done
from headgate_worker.core.facts.runs import BAD, UNSTARTED, all_terminal
from headgate_worker.core.model import errors
from headgate_worker.core.model.event_text import by_whom, label
from headgate_worker.core.model.steps import Act, Step
from headgate_worker.core.model.view import View
from headgate_worker.core.rules import diagnosis
from headgate_worker.core.rules.cancelling import BY_DEADLINE, unconfirmed
from headgate_worker.core.rules.failure_policy import awaiting
from headgate_worker.core.rules.stopping import cancelling
from headgate_worker.core.rules.task import kinds


def _accepted(view: View) -> bool:
    job = view.job
    if view.kind == "start":
        return all(run.state not in UNSTARTED or run.state == pb.RUN_STATE_BLOCKED for run in job.runs)
    if view.kind == "stop":
        return all(run.HasField("stop_time") or run.state in RUN_TERMINAL for run in job.runs)
    return not any(run.state in (pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING) for run in job.runs) and _made(view)


def _started(view: View) -> bool:
    waiting = UNSTARTED | {pb.RUN_STATE_STARTING}
    return all(run.state not in waiting for run in view.runs) and _made(view)


def _finished(view: View) -> bool:
    return all_terminal(view.runs) and _made(view)


def _made(view: View) -> bool:
    """Whether everything that the job wants to have exists, or can't."""
    if view.kind in ("start", "stop"):
        return True
    if view.kind == "rerun":
        known = MADE | {pb.OPERATION_OUTCOME_REFUSED}
        return bool(view.job.operations) and all(op.outcome in known for op in view.job.operations)
    if view.kind in kinds.KINDS:
        return each_done(view.job)  # what is as it is to be needs no call
    return done(view.job)


_REACHED: Final[Mapping[pb.Until.ValueType, Callable[[View], bool]]] = {
    pb.UNTIL_UNSPECIFIED: _finished,
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
    if not _REACHED[view.job.until](view) or awaiting(view) or diagnosis.pending(view):
        return None
    failed = _failed(view)
    return _failure(view, failed) if failed else _success(view)


def _failed(view: View) -> list[pb.InstanceRun]:
    """The runs that did not come to what the job wanted. A stop job wants ends, whichever."""
    bad = _BAD_ENDS.get(view.kind, BAD | {pb.RUN_STATE_SKIPPED, pb.RUN_STATE_STOPPED})
    return [run for run in view.runs if run.state in bad and not is_left_alone(run)]


_BAD_ENDS: Final[Mapping[str, frozenset[pb.RunState.ValueType]]] = {
    "stop": frozenset({pb.RUN_STATE_UNRESOLVED}),
    kinds.STOP: BAD,  # a stop of a task instance that was refused has failed
}


def _success(view: View) -> Step:
    # The dates of a backfill say all of it: what was refused once may have been retried.
    refused = any(op.outcome == pb.OPERATION_OUTCOME_REFUSED for op in view.job.operations)
    if refused and view.kind != "backfill":
        return _ended(pb.JOB_STATE_FAILED, "upstream refused the call", Reason.UPSTREAM_REFUSED)
    draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_SUCCEEDED, message="done")
    return Act((draft,))


def _failure(view: View, failed: list[pb.InstanceRun]) -> Step:
    total = len(view.runs)
    own = [run for run in failed if date_retries.counts_as_failed(run)] or failed
    said = f"{len(failed)} of {total} runs did not succeed, the first is {label(own[0])}"
    why = own[0].error.message or _blamed(own[0])
    return _ended(
        pb.JOB_STATE_FAILED,
        f"{said}: {why}"[:1024] if why else said,
        Reason.RUNS_FAILED,
        failed=str(len(failed)),
        total=str(total),
        first_failed=label(own[0]),
    )


def _blamed(run: pb.InstanceRun) -> str:
    if run.state == pb.RUN_STATE_STOPPED:
        return f"it was stopped{by_whom(run)}"
    digest = run.failure_digest
    return f"task {digest.task_name} failed" if digest.task_name else ""


def _ended(state: pb.JobState.ValueType, said: str, reason: Reason, **metadata: str) -> Step:
    error = errors.status(reason, said, **metadata)
    return Act((pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said),))


def _conclude_cancel(view: View) -> Step | None:
    cancel = view.job.cancel
    detach = cancel.mode == pb.CANCEL_MODE_DETACH
    if not all_terminal(view.runs) or (not detach and unconfirmed(view.job)):
        return None
    if cancel.actor == BY_DEADLINE:
        return _ended(pb.JOB_STATE_FAILED, cancel.reason, Reason.DEADLINE_PASSED)
    said = "let go of; what runs upstream runs on" if detach else "cancelled; every instance has ended"
    draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_CANCELLED, message=said)
    return Act((draft,))
