"""What upstream says now, beside what the log says."""

from __future__ import annotations

import pytest

from tests.server.reports.logs import at, both_succeeded, kinds, row, seen


@pytest.mark.parametrize("status", ["Failure", "Running", "NotRun"])
def test_upstream_that_says_otherwise_is_told(status: str) -> None:
    made = both_succeeded().report(seen(row(11), row(12, status, 1)))

    assert kinds(made) == ["UPSTREAM_DISAGREES"]
    said = made.statement.objections[0].description
    assert said == f"the log says SUCCEEDED of instance 12, and upstream says {status} now"


def test_an_instance_that_has_run_again_in_the_console_is_told() -> None:
    made = both_succeeded().report(seen(row(11, started_time=at(100)), row(12, index=1, started_time=at(9_000))))

    assert kinds(made) == ["UPSTREAM_DISAGREES"]
    assert "has run again" in made.statement.objections[0].description


@pytest.mark.parametrize("status", ["Success", "Failure", "Running", "NotRun"])
def test_an_instance_of_somebody_else_is_told(status: str) -> None:
    other = row(50, status, create_user="2003", create_time=at(500), finished_time=at(600))
    made = both_succeeded().report(seen(row(11), other, row(12, index=1)))

    assert kinds(made) == (["RAN_TWICE", "FOREIGN_INSTANCE"] if status == "Success" else ["FOREIGN_INSTANCE"])
    told = made.dates[0].foreign_instances[0]
    assert (told.workflow_instance_id, told.create_user, told.is_earlier) == (50, "2003", False)


def test_what_had_ended_before_the_job_was_accepted_says_nothing_about_it() -> None:
    made = both_succeeded().report(seen(row(11), row(7, finished_time=at(-60)), row(12, index=1)))

    assert kinds(made) == []
    assert made.dates[0].foreign_instances[0].is_earlier
    assert made.dates[0].successes == 1
