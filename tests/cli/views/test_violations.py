"""What a refusal says of many dates fits on a screen."""

from datetime import date, timedelta

from headgate_cli.views.violations import MOST_NAMED, grouped
from headgate_client.rpc.errors import Violation


def held(count: int, job: str = "jobs/other", first: date = date(2025, 1, 1)) -> list[Violation]:
    return [Violation(f"{first + timedelta(days=n)}", f"{job} has this date") for n in range(count)]


def test_dates_of_which_the_same_is_said_are_one_range() -> None:
    assert list(grouped(held(31))) == [Violation("2025-01-01..2025-01-31", "jobs/other has this date")]


def test_dates_of_two_jobs_by_turns_are_a_line_each() -> None:
    mixed = [row for n in range(4) for row in held(1, f"jobs/{'ab'[n % 2]}", date(2025, 1, 1) + timedelta(days=n))]

    assert list(grouped(mixed)) == [
        Violation("2025-01-01, 2025-01-03", "jobs/a has this date"),
        Violation("2025-01-02, 2025-01-04", "jobs/b has this date"),
    ]


def test_more_dates_than_a_refusal_names_are_not_hidden() -> None:
    found = list(grouped(held(MOST_NAMED)))

    assert len(found) == 2 and found[1].subject == "and maybe more"


def test_what_is_about_no_date_is_left_as_it_is() -> None:
    rows = [Violation("labels", "too many"), Violation("labels", "too many")]

    assert list(grouped(rows)) == rows
