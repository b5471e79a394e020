"""What an observation says about a run: upstream's status in, the run's row out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from headgate import pb
from headgate.backfill.reprocess import is_left_alone
from headgate.job.lifecycle import RUN_TERMINAL
from headgate_worker.core.model.steps import run_with

if TYPE_CHECKING:
    from typing import TypeAlias

    StartedBy: TypeAlias = pb.StartedBy.ValueType

_STATUS = pb.WorkflowInstanceStatus
_UNKNOWN: Final = pb.STARTED_BY_UNSPECIFIED


class Stopper(NamedTuple):
    """Who stopped a run; `job` is the name of the other job where it was one."""

    by: pb.StoppedBy.ValueType
    job: str = ""


NOBODY: Final = Stopper(pb.STOPPED_BY_UNSPECIFIED)
THIS_JOB: Final = Stopper(pb.STOPPED_BY_HEADGATE)

NOT_STARTED: Final = frozenset({pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN})
"""Statuses of an instance that was never started, or that waits for a parent (seed 000)."""

_FINAL: Final[Mapping[_STATUS.ValueType, pb.RunState.ValueType]] = {
    pb.WORKFLOW_INSTANCE_STATUS_SUCCESS: pb.RUN_STATE_SUCCEEDED,
    pb.WORKFLOW_INSTANCE_STATUS_FAILURE: pb.RUN_STATE_FAILED,
}

IDLE: Final = frozenset({pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED})
"""Run states of an instance that exists and was not started."""

UNSTARTED: Final = IDLE | {pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING}
"""Run states before a start was accepted."""

NOT_YET_STARTED: Final = IDLE | {pb.RUN_STATE_STARTING}
"""Run states of an instance that exists and may still be NotRun upstream."""

BAD: Final = frozenset({pb.RUN_STATE_FAILED, pb.RUN_STATE_UNRESOLVED})
"""Run states that count as a failure of the date."""


def observe(
    run: pb.InstanceRun, seen: pb.WorkflowInstance, *, started_by: StartedBy = _UNKNOWN, stopper: Stopper = NOBODY
) -> pb.InstanceRun:
    """The run's row after its instance was read.

    Args:
        run: the row before.
        seen: what was read.
        started_by: who started what has begun, where the row does not say so yet.
        stopper: who stopped what has ended in Failure: then it is STOPPED, since upstream has no word for that.

    An instance that is NotRun leaves the state as it is.
    """
    row = run_with(run, upstream_status=seen.status_raw, observe_time=seen.observe_time)
    if seen.HasField("biz_date"):
        row.biz_date.CopyFrom(seen.biz_date)
    for name in ("started_time", "finished_time"):
        if seen.HasField(name):
            getattr(row, name).CopyFrom(getattr(seen, name))
    return _with_state(row, seen, started_by, stopper)


def _with_state(row: pb.InstanceRun, seen: pb.WorkflowInstance, by: StartedBy, stopper: Stopper) -> pb.InstanceRun:
    unknown = seen.status == pb.WORKFLOW_INSTANCE_STATUS_UNSPECIFIED and not seen.HasField("started_time")
    if seen.status in NOT_STARTED or unknown:
        return row
    never_ran = seen.status == pb.WORKFLOW_INSTANCE_STATUS_FAILURE and not seen.HasField("started_time")
    guessed = row.started_by == pb.STARTED_BY_UPSTREAM and row.state in NOT_YET_STARTED
    known_by = by if guessed else row.started_by or by
    row = run_with(row, started_by=None if never_ran else known_by)
    state = _FINAL.get(seen.status, pb.RUN_STATE_RUNNING)
    if state == pb.RUN_STATE_FAILED and stopper.by:
        row = stopped(row, stopper)
        state = row.state
    return run_with(row, state=state, blocked_by_id=None, parent_end_time=None)


def stopped(row: pb.InstanceRun, stopper: Stopper) -> pb.InstanceRun:
    """The row of a run that was stopped."""
    return run_with(row, state=pb.RUN_STATE_STOPPED, stopped_by=stopper.by, stopped_by_job=stopper.job)


def differs(before: pb.InstanceRun, after: pb.InstanceRun) -> bool:
    """Whether the row says something new; the time of its read does not count."""
    return run_with(before, observe_time=None) != run_with(after, observe_time=None)


def all_terminal(runs: Iterable[pb.InstanceRun]) -> bool:
    """Whether nothing more is expected of any of them."""
    return all(run.state in RUN_TERMINAL for run in runs)


def by_instance(job: pb.Job) -> dict[int, pb.InstanceRun]:
    """The runs whose instance id is known, by that id; the latest attempt wins. Instances left alone are no runs."""
    known = (run for run in job.runs if run.workflow_instance_id and not is_left_alone(run))
    return {run.workflow_instance_id: run for run in known}
