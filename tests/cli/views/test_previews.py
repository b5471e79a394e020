"""What a person is told before a job is ended, run again or deleted."""

from datetime import date

import pytest

from headgate import pb
from headgate_cli.views.previews import cancel_lines, delete_lines, failed_dates, retry_lines
from tests.cli.views.test_live_job import year


@pytest.mark.parametrize(
    ("mode", "running", "standing"),
    [
        (pb.CANCEL_MODE_UNSPECIFIED, "running, and stopped", "not begun, and stopped before they do"),
        (pb.CANCEL_MODE_DRAIN, "running, and left to run to their end", "not begun, and not started"),
        (pb.CANCEL_MODE_DETACH, "running, and looked after no longer", "not begun, and left upstream as they are"),
    ],
)
def test_a_cancel_tells_which_instances_it_touches(mode: pb.CancelMode.ValueType, running: str, standing: str) -> None:
    lines = list(cancel_lines(year(), mode))

    assert lines[0] == "jobs/orders-2025 is running: backfill orders, 365 runs"
    assert lines[1].startswith(f"{running}: 10 instances, 2025-07-20 1000341554200, 2025-07-21 ")
    assert lines[2].startswith(f"{standing}: 10 instances, 2025-07-30 ")
    assert lines[3:] == [
        "without an instance, and getting none: 145 dates, 2025-08-09..2025-12-31",
        "ended, and left as they are: 200 dates, 2025-01-01..2025-07-19",
    ]


def ended() -> pb.Job:
    job = year()
    job.state = pb.JOB_STATE_FAILED
    for run in job.runs:
        if run.state not in (pb.RUN_STATE_FAILED, pb.RUN_STATE_STOPPED):
            run.state = pb.RUN_STATE_SUCCEEDED
    return job


def test_a_retry_tells_which_dates_run_again() -> None:
    before = "2025-02-10 1000341554040, 2025-02-11 1000341554041, 2025-04-01 1000341554090"
    assert list(retry_lines(ended(), []))[1:] == [
        "run again, each in a new instance: 3 dates, 2025-02-10..2025-02-11, 2025-04-01",
        f"of before, left upstream as they are: 3 instances, {before}",
    ]
    assert list(retry_lines(ended(), [date(2025, 1, 2)]))[1:3] == [
        "run again, each in a new instance: 1 date, 2025-01-02",
        "of these, succeeded before: 1 date, 2025-01-02",
    ]


def test_failed_dates_are_neither_those_that_were_stopped_nor_those_that_succeeded_later() -> None:
    job = ended()
    job.runs.add(index=365, biz_date=job.runs[40].biz_date, state=pb.RUN_STATE_SUCCEEDED)

    assert failed_dates(job) == [date(2025, 2, 11)]


def test_a_delete_tells_what_is_forgotten() -> None:
    said = "its log of 612 revisions is deleted; instances upstream stay as they are"
    assert list(delete_lines(ended()))[1:] == [said]
    assert list(delete_lines(year()))[1:] == ["it has not ended, so it can't be deleted"]
