"""The rows that every form of a report shows."""

from headgate_cli.views.report.rows import ranges
from tests.server.reports.logs import Log


def test_dates_without_gaps_are_one_range() -> None:
    days = [run.biz_date for run in Log(5).job.runs]

    assert ranges([days[4], days[0], days[1], days[2]]) == ["2025-02-05..2025-02-07", "2025-02-09"]
