"""What the failure of one date does to the others: the backfill's `on_failure`, and the tries that come before it."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.backfill import date_retries
from headgate.job.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts.job_kinds import date_key, newest_first
from headgate_worker.core.facts.operations import unplaced
from headgate_worker.core.facts.runs import by_instance
from headgate_worker.core.model import errors
from headgate_worker.core.model.event_text import outcome_of
from headgate_worker.core.model.steps import Act, Step, run_with, runs_changed
from headgate_worker.core.model.view import View, once

_HALT = frozenset({pb.ON_FAILURE_UNSPECIFIED, pb.ON_FAILURE_HALT})


def halted(view: View) -> bool:
    """Whether a failure keeps dates from starting, for good or until it was tried again; a cancel goes its own way."""
    return halts_all(view.job) and (_failed(view) is not None or bool(awaiting(view)))


def halts_all(job: pb.Job) -> bool:
    """Whether no date of the job may start after one has failed."""
    return job.backfill.on_failure in _HALT


@once
def awaiting(view: View) -> list[pb.InstanceRun]:
    """The failed dates that are to be tried again."""
    return date_retries.awaiting(view.job) if view.kind == "backfill" else []


@once
def _failed(view: View) -> pb.InstanceRun | None:
    """The first failed date of a backfill that cares, once it is final; those of earlier goes do not matter."""
    job = view.job
    if (
        view.kind != "backfill"
        or job.state not in date_retries.WORKING
        or job.backfill.on_failure == pb.ON_FAILURE_CONTINUE
    ):
        return None
    if awaiting(view):
        return None
    now = date_retries.current_go(view.runs)
    return next((run for run in view.runs if date_retries.counts_as_failed(run) and date_retries.go(run) == now), None)


def halts(view: View, run: pb.InstanceRun) -> bool:
    """Whether a halt is about this run: it exists, it may have been named to upstream, and it has not begun.

    Upstream may start such a child when its failed parent has ended, so it is stopped before it counts as skipped.
    """
    if run.state == pb.RUN_STATE_CREATED:
        return may_be_named(view.job, run)
    return run.state == pb.RUN_STATE_BLOCKED


def may_be_named(job: pb.Job, run: pb.InstanceRun) -> bool:
    """Whether a created run may have been named in a start whose answer is not known: of it, all others were not."""
    if run.operation_index == current_operation(job):
        return True
    return run.operation_index >= 0 and job.operations[run.operation_index].HasField("early_start_time")


def starts_ahead(job: pb.Job) -> bool:
    """Whether dates of the next create may begin beside the last ones of the create before.

    Where a failure halts all and dates are tried again, they keep their order: what is ahead of its turn stays unnamed.
    Where upstream starts what is created, one create waits for the end of the other.
    """
    if not job.HasField("backfill") or job.backfill.start_mode == pb.START_MODE_UPSTREAM:
        return False
    return not (halts_all(job) and job.backfill.max_attempts_per_date > 1)


def calls_back(view: View, run: pb.InstanceRun) -> bool:
    """Whether a run is to wait until a failed date was tried again, and so must not begin: see `date_retries`."""
    waiting = awaiting(view)
    if not waiting or unplaced(view.job):
        return False
    if halted(view):
        return halts(view, run)
    return run.state == pb.RUN_STATE_BLOCKED and _is_behind(view, run, {one.index for one in waiting})


def _is_behind(view: View, run: pb.InstanceRun, failed: set[int]) -> bool:
    """Whether upstream lets the run go only after one of the failed ones, be it through others that wait."""
    rows = by_instance(view.job)
    for _ in view.runs:
        parent = rows.get(run.blocked_by_id)
        if parent is None or parent.index in failed:
            return parent is not None
        if parent.state != pb.RUN_STATE_BLOCKED:
            return False
        run = parent
    return False


def current_operation(job: pb.Job) -> int:
    """The operation whose instances are being run; those of later ones were never named in a start. -1: none.

    It is the earliest one that is not over. Where a failure halts all, dates keep their order when they are tried
    again, and so the operation of the first date that is not over is the current one.
    """
    left = [run for run in job.runs if run.state not in _OVER]
    if job.backfill.max_attempts_per_date <= 1 or not halts_all(job):
        return min((run.operation_index for run in left), default=-1)
    left += date_retries.awaiting(job)
    first = max if newest_first(job) else min
    return first(left, key=date_key).operation_index if left else -1


_OVER = RUN_TERMINAL | {pb.RUN_STATE_PLANNED}


def skipped_error(view: View) -> Status:
    """Why a date of a halted backfill did not run."""
    first = _failed(view)
    return errors.status(
        Reason.RUN_SKIPPED, f"not run, since {outcome_of(first) if first else 'an earlier one failed'}"
    )


def halt(view: View) -> Step | None:
    """After a failure, skip what the policy says is not to run any more and upstream can't run by itself."""
    first = _failed(view)
    if first is None:
        return None
    left = [run for run in view.runs if _skippable(view, run)]
    if not left:
        return None
    error = skipped_error(view)
    rows = [run_with(run, state=pb.RUN_STATE_SKIPPED, error=error) for run in left]
    return Act((runs_changed(*rows, message=f"{len(rows)} dates skipped, since {outcome_of(first)}"),))


def _skippable(view: View, run: pb.InstanceRun) -> bool:
    if run.state == pb.RUN_STATE_PLANNED:
        return True
    if run.state == pb.RUN_STATE_CREATING:
        return view.job.operations[run.operation_index].outcome == pb.OPERATION_OUTCOME_NOT_SENT
    return run.state == pb.RUN_STATE_CREATED and halted(view) and not halts(view, run)
