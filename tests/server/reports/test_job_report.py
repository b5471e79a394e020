"""The statement holds when each date is known to have succeeded exactly once, and says otherwise what is not so."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_server.reports.job_report import report
from headgate_server.reports.report_stream import PART_BYTES, parts
from headgate_server.reports.sightings import DateSighting
from tests.server.reports.logs import NOW_MS, Log, both_succeeded, kinds, row, seen


def test_each_date_that_succeeded_once_is_told_with_who_started_it_and_how_long_it_took() -> None:
    made = both_succeeded().report()

    assert kinds(made) == []
    assert made.statement.text == "each of 2 dates succeeded exactly once; by the log, upstream was not asked"
    assert made.statement.basis == pb.REPORT_BASIS_LOG
    one = made.dates[0].instances[0]
    assert (one.workflow_instance_id, one.attempt, one.took.seconds) == (11, 1, 60)
    assert one.started_by == pb.STARTED_BY_HEADGATE
    assert [call.upstream_request_id for call in one.upstream_calls] == ["R-11"]
    assert (made.totals.dates, made.totals.succeeded_once, made.totals.instances) == (2, 2, 2)
    assert made.totals.run_time.seconds == 120


def test_a_job_that_runs_says_so() -> None:
    of = Log()
    of.succeed(0, 11)
    of.succeed(1, 12)

    assert kinds(of.report()) == ["NOT_ENDED"]


def test_a_job_that_is_not_what_its_log_says_is_told() -> None:
    of = both_succeeded()
    of.job.runs[0].workflow_instance_id = 99

    made = report(of.job, of.history(), None, now_ms=NOW_MS)

    assert kinds(made) == ["LOG_DISAGREES"]


def test_what_upstream_confirms_is_told_with_when() -> None:
    made = both_succeeded().report(seen(row(11), row(12, index=1)))

    assert kinds(made) == []
    assert made.statement.basis == pb.REPORT_BASIS_UPSTREAM
    assert "upstream was asked about every date, until 2025-02-" in made.statement.text
    assert [day.check for day in made.dates] == [pb.DATE_CHECK_VERIFIED] * 2
    assert made.dates[0].instances[0].seen.status == "Success"


@pytest.mark.parametrize(
    "partial",
    [
        {0: DateSighting({11: row(11)})},
        {0: DateSighting({11: row(11)}), 1: DateSighting(error="UPSTREAM_QPS: slow down")},
        {0: DateSighting({11: row(11)}), 1: DateSighting(gone=frozenset({12}))},
    ],
)
def test_a_date_that_could_not_be_verified_is_not_shown(partial: dict[int, DateSighting]) -> None:
    made = both_succeeded().report(partial)

    assert kinds(made) == ["NOT_VERIFIED"]
    assert "upstream was asked about 1 of 2 dates" in made.statement.text
    assert made.dates[1].check == pb.DATE_CHECK_NOT_VERIFIED and made.dates[1].check_error
    assert (made.verification.dates_verified, made.verification.dates_not_verified) == (1, 1)
    assert made.statement.basis == pb.REPORT_BASIS_LOG


def test_a_year_with_ten_attempts_a_date_is_sent_in_parts_that_make_it_again() -> None:
    of = Log(366, max_attempts_per_date=10)
    for index in range(366):
        for attempt in range(10):
            of.run(index, pb.RUN_STATE_FAILED, 1_000_000_000_000 + index * 10 + attempt, call="0" * 36)
            of.again(index) if attempt < 9 else None
    whole = of.end(pb.JOB_STATE_FAILED).report()

    sent = list(parts(whole))

    merged = pb.JobReport()
    for part in sent:
        assert part.ByteSize() < PART_BYTES + 64 * 1024
        merged.MergeFrom(part)
    assert merged == whole
    assert whole.ByteSize() < 4 * 1024 * 1024
