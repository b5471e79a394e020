"""Which failed dates of a backfill are tried again by themselves, and what their rows are then. Pure.

A date has one row. Each new instance of it is an attempt: after a failure (a retry), or because it was called back
before it ran, so that a date before it could be tried again first (a recall). RetryJob begins a new go, in which both
count from 0. Only an instance that upstream says has failed is followed by another: what a refused call or a lost one
has left behind may still run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from headgate import pb

MOST_OPERATIONS: Final = 1_000
"""Calls on a job's record from which on a failure is final: every commit writes the whole record."""

WORKING: Final = frozenset({pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED})
"""States of a job in which a failed date waits for another try."""


def go(run: pb.InstanceRun) -> int:
    """Which go of the job the run belongs to: the number of that go's first attempt."""
    return run.attempt - run.retries - run.recalls


def current_go(runs: Iterable[pb.InstanceRun]) -> int:
    """The go that a job is in; 0 for a job without runs."""
    return max(map(go, runs), default=0)


def has_failed(run: pb.InstanceRun) -> bool:
    """Whether upstream says of the run's own instance that it has failed."""
    return run.state == pb.RUN_STATE_FAILED and run.workflow_instance_id != 0 and not run.HasField("error")


def counts_as_failed(run: pb.InstanceRun) -> bool:
    """Whether a date's end is a failure to `on_failure`: it did not succeed, and that was not this job's own doing."""
    if run.state == pb.RUN_STATE_STOPPED:
        return run.stopped_by in (pb.STOPPED_BY_ANOTHER_JOB, pb.STOPPED_BY_OPERATOR)
    return run.state in (pb.RUN_STATE_FAILED, pb.RUN_STATE_UNRESOLVED)


def awaiting(job: pb.Job) -> list[pb.InstanceRun]:
    """The failed dates that are to be tried again; none when the job is about to end, or its policy says otherwise.

    With HALT and DRAIN a failure that is final ends the tries of all dates.
    """
    most = job.backfill.max_attempts_per_date
    if most <= 1 or job.state not in WORKING or len(job.operations) >= MOST_OPERATIONS:
        return []
    now = current_go(job.runs)
    found = [run for run in job.runs if has_failed(run) and run.retries + 1 < most and go(run) == now]
    return found if found and not _is_judged(job, found, now) else []


def _is_judged(job: pb.Job, tried: list[pb.InstanceRun], now: int) -> bool:
    if job.backfill.on_failure == pb.ON_FAILURE_CONTINUE:
        return False
    spared = {run.index for run in tried}
    return any(counts_as_failed(run) and go(run) == now and run.index not in spared for run in job.runs)


def tried_again(run: pb.InstanceRun) -> pb.InstanceRun:
    """The row of a date that has failed, once it is to have another instance."""
    return _renewed(run, retries=run.retries + 1, recalls=run.recalls)


def called_back(run: pb.InstanceRun) -> pb.InstanceRun:
    """The row of a date whose instance will surely not run any more, once it is to have another one.

    Of an instance that was seen to have ended, the row keeps when that was: the end may have released a child.
    """
    row = _renewed(run, retries=run.retries, recalls=run.recalls + 1)
    if run.HasField("finished_time"):
        row.observe_time.CopyFrom(run.observe_time)
    return row


def _renewed(run: pb.InstanceRun, *, retries: int, recalls: int) -> pb.InstanceRun:
    return pb.InstanceRun(
        index=run.index,
        biz_date=run.biz_date,
        state=pb.RUN_STATE_PLANNED,
        attempt=run.attempt + 1,
        operation_index=-1,
        retries=retries,
        recalls=recalls,
    )
