"""The picture of a backfill of many dates as it stands. Pure: a job and causes in, lines and runs out."""

from collections.abc import Sequence

from rich.text import Text

from headgate import pb
from headgate_cli.views import calendar
from headgate_cli.views.describe import end_said
from headgate_cli.views.outlook import cause_lines

MOST_RUNS = 20
"""Most runs that have a row each beside a calendar."""

_TELLING = (
    pb.RUN_STATE_UNRESOLVED,
    pb.RUN_STATE_FAILED,
    pb.RUN_STATE_RUNNING,
    pb.RUN_STATE_STARTING,
    pb.RUN_STATE_STOPPED,
    pb.RUN_STATE_BLOCKED,
)
"""States of runs that are worth a line, the most telling one first."""


def still_lines(job: pb.Job, causes: Sequence[pb.Cause], width: int) -> Sequence[Text]:
    """Return the calendar of a job with what runs, what failed, what stands, and when it ends; empty for few dates.

    The end is left out where the job has a forecast of its own, which is shown beside.
    """
    last = job.end_time if job.HasField("end_time") else job.update_time
    seconds = (last.ToNanoseconds() - job.create_time.ToNanoseconds()) / 1e9
    dates = calendar.block(job.runs, seconds, width)
    if not dates:
        return ()
    said = "" if job.HasField("forecast") else end_said(job, job.update_time.ToNanoseconds() / 1e9, width)
    return [*dates, *cause_lines(causes, width), *([Text(said, style="bold")] if said else [])]


def telling_runs(runs: Sequence[pb.InstanceRun]) -> Sequence[pb.InstanceRun]:
    """Return the runs that went wrong, go on or wait for a parent, at most 20 of them, in their order."""
    telling = sorted((run for run in runs if run.state in _TELLING), key=lambda run: _TELLING.index(run.state))
    return sorted(telling[:MOST_RUNS], key=lambda run: run.index)
