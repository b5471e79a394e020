"""What the failure of one date does to the others: the backfill's `on_failure`, and nothing else."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from headgate import dates, pb
from headgate.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core import errors
from headgate_worker.core.runs import BAD
from headgate_worker.core.steps import Act, Step, run_with, runs_changed
from headgate_worker.core.view import View

_WORKING = frozenset({pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED})
_HALT = frozenset({pb.ON_FAILURE_UNSPECIFIED, pb.ON_FAILURE_HALT})


def label(run: pb.InstanceRun) -> str:
    """A run in a sentence: its date, or else its instance."""
    if run.HasField("biz_date"):
        return dates.from_message(run.biz_date).isoformat()
    return f"instance {run.workflow_instance_id}"


def halted(view: View) -> bool:
    """Whether a failure has ended the starting of dates; a cancel goes its own way."""
    return _failed(view) is not None and view.job.backfill.on_failure in _HALT


def _failed(view: View) -> pb.InstanceRun | None:
    """The first failed date of a backfill that cares; those of the goes before a retry do not matter."""
    job = view.job
    if view.kind != "backfill" or job.state not in _WORKING or job.backfill.on_failure == pb.ON_FAILURE_CONTINUE:
        return None
    attempt = max((run.attempt for run in job.runs), default=0)
    return next((run for run in job.runs if run.state in BAD and run.attempt == attempt), None)


def halts(view: View, run: pb.InstanceRun) -> bool:
    """Whether a halt is about this run: it exists, it may have been named to upstream, and it has not begun.

    Upstream may start such a child when its failed parent has ended, so it is stopped before it counts as skipped.
    """
    if run.state == pb.RUN_STATE_CREATED:
        return run.operation_index == current_operation(view.job)
    return run.state == pb.RUN_STATE_BLOCKED


def current_operation(job: pb.Job) -> int:
    """The operation whose instances are being run; those of later ones were never named in a start. -1: none."""
    waiting = RUN_TERMINAL | {pb.RUN_STATE_PLANNED}
    return min((run.operation_index for run in job.runs if run.state not in waiting), default=-1)


def skipped_error(view: View) -> Status:
    """Why a date of a halted backfill did not run."""
    first = _failed(view)
    return errors.status(Reason.RUN_SKIPPED, f"not run, since {label(first) if first else 'an earlier one'} failed")


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
    return Act((runs_changed(*rows, message=f"{len(rows)} dates skipped, since {label(first)} failed"),))


def _skippable(view: View, run: pb.InstanceRun) -> bool:
    if run.state == pb.RUN_STATE_PLANNED:
        return True
    if run.state == pb.RUN_STATE_CREATING:
        return view.job.operations[run.operation_index].outcome == pb.OPERATION_OUTCOME_NOT_SENT
    return run.state == pb.RUN_STATE_CREATED and halted(view) and not halts(view, run)
