"""What an observation says about a run: upstream's status in, the run's row out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from headgate import pb
from headgate.lifecycle import RUN_TERMINAL
from headgate.reprocess import is_left_alone
from headgate_worker.core.steps import run_with

_STATUS = pb.WorkflowInstanceStatus

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


def observe(run: pb.InstanceRun, seen: pb.WorkflowInstance, *, stopping: bool) -> pb.InstanceRun:
    """The run's row after its instance was read.

    An instance that is NotRun leaves the state as it is; a Failure after a stop that upstream accepted is STOPPED,
    since upstream has no word for that.
    """
    row = run_with(run, upstream_status=seen.status_raw, observe_time=seen.observe_time)
    if seen.HasField("biz_date"):
        row.biz_date.CopyFrom(seen.biz_date)
    for name in ("started_time", "finished_time"):
        if seen.HasField(name):
            getattr(row, name).CopyFrom(getattr(seen, name))
    return _with_state(row, seen, stopping=stopping)


def _with_state(row: pb.InstanceRun, seen: pb.WorkflowInstance, *, stopping: bool) -> pb.InstanceRun:
    unknown = seen.status == pb.WORKFLOW_INSTANCE_STATUS_UNSPECIFIED and not seen.HasField("started_time")
    if seen.status in NOT_STARTED or unknown:
        return row
    started_by = row.started_by or _who_started(row)
    state = _FINAL.get(seen.status, pb.RUN_STATE_RUNNING)
    if state == pb.RUN_STATE_FAILED and stopping:
        state = pb.RUN_STATE_STOPPED
    return run_with(row, state=state, started_by=started_by, blocked_by_id=None, parent_end_time=None)


def _who_started(row: pb.InstanceRun) -> pb.StartedBy.ValueType:
    if row.state == pb.RUN_STATE_BLOCKED:
        return pb.STARTED_BY_UPSTREAM
    return pb.STARTED_BY_OPERATOR


def differs(before: pb.InstanceRun, after: pb.InstanceRun) -> bool:
    """Whether the row says something new; when it was read is no news."""
    return run_with(before, observe_time=None) != run_with(after, observe_time=None)


def all_terminal(runs: Iterable[pb.InstanceRun]) -> bool:
    """Whether nothing more is expected of any of them."""
    return all(run.state in RUN_TERMINAL for run in runs)


def by_instance(job: pb.Job) -> dict[int, pb.InstanceRun]:
    """The runs whose instance id is known, by that id; the latest attempt wins. What is left alone is nobody's run."""
    known = (run for run in job.runs if run.workflow_instance_id and not is_left_alone(run))
    return {run.workflow_instance_id: run for run in known}
