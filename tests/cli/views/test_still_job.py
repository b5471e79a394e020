"""A backfill of many dates as it stands: which runs are told one by one, and when the end is."""

from headgate import pb
from headgate_cli.views.still_job import MOST_RUNS, still_lines, telling_runs
from tests.cli.views.test_live_job import year


def test_what_went_wrong_comes_before_what_waits() -> None:
    job = year()
    for run in job.runs[200:260]:
        run.state = pb.RUN_STATE_BLOCKED
    found = telling_runs(job.runs)

    assert len(found) == MOST_RUNS and [run.index for run in found[:4]] == [40, 41, 90, 120]


def test_the_end_is_told_once() -> None:
    job = year()
    assert still_lines(job, (), 80)[-1].plain.startswith("done about ")
    job.forecast.left_dates = 3
    assert not still_lines(job, (), 80)[-1].plain.startswith("done about ")


def test_few_dates_have_no_picture() -> None:
    job = year()
    del job.runs[59:]
    assert not still_lines(job, (), 80)
