"""A report as text, against what it looked like when a person last looked at it."""

from pathlib import Path

import pytest

from headgate import pb
from headgate_cli.views.output import aligned
from headgate_cli.views.report import text as views
from headgate_cli.views.report.rows import ranges, rows
from tests.cli.views.report.samples import good, mixed
from tests.server.reports.logs import Log

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture(autouse=True)
def in_shanghai(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()


def text(report: pb.JobReport) -> str:
    table = aligned(views.COLUMNS, [views.row(row) for row in rows(report)])
    lines = [*views.head(report), *table, *views.notes(report), *views.conclusion(report)]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(("name", "report"), [("good", good()), ("mixed", mixed())])
def test_a_report_looks_as_it_did(name: str, report: pb.JobReport) -> None:
    golden = GOLDEN / f"report-{name}.txt"

    assert text(report) == golden.read_text()


def test_nothing_that_a_server_says_steers_a_terminal() -> None:
    assert "\x1b" not in text(mixed())


def test_the_statement_is_the_last_line() -> None:
    assert text(good()).splitlines()[-1].startswith("✔ each of 2 dates succeeded exactly once")
    assert text(mixed()).splitlines()[-1].startswith("✘ not shown")


def test_dates_without_gaps_are_one_range() -> None:
    days = [run.biz_date for run in Log(5).job.runs]

    assert ranges([days[4], days[0], days[1], days[2]]) == ["2025-02-05..2025-02-07", "2025-02-09"]
