"""What each kind of job does itself, and what it leaves to upstream or to others."""

from __future__ import annotations

from typing import Final

from headgate import pb
from headgate_worker.core.model.view import View

NAMED: Final = frozenset({"start", "stop"})
"""Kinds of job that are about instances which others made."""


def starts_first(view: View) -> bool:
    """Whether the first start of an instance is this job's to send."""
    return may_start(view) and not _by_upstream(view.job)


def may_start(view: View) -> bool:
    """Whether the job may send a start at all; the others make, stop or only watch."""
    return view.kind in ("start", "backfill")


def starts_itself(view: View) -> bool:
    """Whether upstream starts what the job makes without being asked."""
    job = view.job
    return view.kind == "adhoc" or (view.kind == "create" and job.create.auto_start_enabled) or _by_upstream(job)


def _by_upstream(job: pb.Job) -> bool:
    return job.backfill.start_mode == pb.START_MODE_UPSTREAM


def run_properties(job: pb.Job) -> pb.DefaultRunProperties:
    """How the instances that the job makes run; empty for a job that makes none."""
    spec = job.create if job.WhichOneof("spec") == "create" else job.backfill
    return spec.default_run_properties


def newest_first(job: pb.Job) -> bool:
    """Whether dates run from the newest to the oldest."""
    return run_properties(job).order == pb.BACKFILL_ORDER_DESC


def expected_parent(job: pb.Job, run: pb.InstanceRun) -> pb.InstanceRun | None:
    """The run that this one must wait for, by the parallelism of its create; None for the first ones.

    Only what a start answers is certain. Assumed where nothing was answered: with N dates side by side, a date waits
    for the one N places before it (reference: chains).
    """
    width = created_width(job, run.operation_index)
    if not width or run.operation_index < 0:
        return None
    group = [one for one in job.runs if one.operation_index == run.operation_index and one.workflow_instance_id]
    group.sort(key=date_key, reverse=newest_first(job))
    place = [one.index for one in group].index(run.index)
    return group[place - width] if place >= width else None


def created_width(job: pb.Job, operation_index: int) -> int:
    """How many dates of a create run side by side; an update of the job may have changed that for later ones."""
    sent = [operation.parallelism for operation in job.operations if operation.index == operation_index]
    return sum(sent) or run_properties(job).parallelism


def date_key(run: pb.InstanceRun) -> tuple[int, int, int]:
    """The date of a run as something to sort by; one without a date comes first."""
    day = run.biz_date
    return day.year, day.month, day.day
