"""What a cancel, a retry or a delete would do to a job as it stands. Pure: a job in, lines out."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.reprocess import is_left_alone
from headgate.job.lifecycle import JOB_TERMINAL, RUN_FRONTIER, RUN_TERMINAL
from headgate_cli.views.date_ranges import fitting, ranges
from headgate_cli.views.describe import instance, job_state, subject

_WIDTH = 90

_UNMADE = frozenset({pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING})
_RUNNING_THEN = {
    pb.CANCEL_MODE_DRAIN: "running, and left to run to their end",
    pb.CANCEL_MODE_DETACH: "running, and looked after no longer",
}
_STANDING_THEN = {
    pb.CANCEL_MODE_DRAIN: "not begun, and not started",
    pb.CANCEL_MODE_DETACH: "not begun, and left upstream as they are",
}


def cancel_lines(job: pb.Job, mode: pb.CancelMode.ValueType) -> Iterator[str]:
    """Yield what a cancel would do: which instances it stops, what never begins, what stays."""
    yield f"{job.name} is {job_state(job)}: {subject(job)}"
    if job.state in JOB_TERMINAL:
        yield "it has ended: a cancel changes nothing"
        return
    running = [run for run in job.runs if run.state in RUN_FRONTIER]
    standing = [run for run in job.runs if run.state not in RUN_FRONTIER | RUN_TERMINAL | _UNMADE]
    yield from _instances(running, _RUNNING_THEN.get(mode, "running, and stopped"))
    yield from _instances(standing, _STANDING_THEN.get(mode, "not begun, and stopped before they do"))
    yield from _dates([run for run in job.runs if run.state in _UNMADE], "without an instance, and getting none")
    yield from _dates([run for run in job.runs if run.state in RUN_TERMINAL], "ended, and left as they are")


def retry_lines(job: pb.Job, named: Sequence[date]) -> Iterator[str]:
    """Yield what a retry would do: which dates run again, and how those stand.

    Args:
        job: the backfill that has ended.
        named: the dates to run again; empty means all that did not succeed.
    """
    yield f"{job.name} is {job_state(job)}: {subject(job)}"
    wanted = frozenset(named) or _unsuccessful(job)
    again = [run for run in job.runs if _day(run) in wanted]
    done = [run for run in again if run.state == pb.RUN_STATE_SUCCEEDED]
    yield from _dates(again, "run again, each in a new instance")
    yield from _dates(done, "of these, succeeded before")
    yield from _instances([run for run in again if instance(run)], "of before, left upstream as they are")
    if not again:
        yield "no date runs again"


def delete_lines(job: pb.Job) -> Iterator[str]:
    """Yield what a delete would do: what is forgotten, and what it leaves alone."""
    yield f"{job.name} is {job_state(job)}: {subject(job)}"
    if job.state in JOB_TERMINAL:
        yield f"its log of {job.revision} revisions is deleted; instances upstream stay as they are"
    else:
        yield "it has not ended, so it can't be deleted"


def failed_dates(job: pb.Job) -> Sequence[date]:
    """Return the dates of which a run has failed and none has succeeded, in order."""
    failed = {_day(run) for run in job.runs if run.state == pb.RUN_STATE_FAILED}
    return sorted(day for day in failed & _unsuccessful(job) if day is not None)


def _unsuccessful(job: pb.Job) -> frozenset[date]:
    done = {_day(run) for run in job.runs if run.state == pb.RUN_STATE_SUCCEEDED or is_left_alone(run)}
    return frozenset(day for run in job.runs if (day := _day(run)) is not None and day not in done)


def _instances(runs: Sequence[pb.InstanceRun], then: str) -> Iterator[str]:
    if runs:
        names = [" ".join(filter(None, (str(_day(run) or ""), instance(run)))) for run in runs]
        yield from _told(len(runs), "instance", then, names)


def _dates(runs: Sequence[pb.InstanceRun], then: str) -> Iterator[str]:
    days = sorted({day for run in runs if (day := _day(run)) is not None})
    if days:
        yield from _told(len(days), "date", then, ranges(days))


def _told(count: int, noun: str, then: str, names: Sequence[str]) -> Iterator[str]:
    yield f"{then}: {count} {noun}{'' if count == 1 else 's'}, {fitting(names, _WIDTH)}"


def _day(run: pb.InstanceRun) -> date | None:
    return dates.from_message(run.biz_date) if run.biz_date.year else None


Preview = Callable[[pb.Job], Iterator[str]]
"""Yields what would happen to a job as it stands."""
