"""Failed calls: the first of each kind have lines, the rest are counted."""

import logging

import pytest

from headgate_server.logs import failed_calls
from headgate_server.logs.failed_calls import FailedCalls


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_first_failures_of_each_kind_have_lines_and_the_rest_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    told = FailedCalls(logging.getLogger("headgate_server.access"))
    own = sum(told.has_line("JOB_UNKNOWN", "etl", "GetJob", at / 10_000) for at in range(10_000))

    assert own == failed_calls.LINES
    assert told.has_line("JOB_UNKNOWN", "other", "GetJob", 1) and told.has_line("JOB_EXISTS", "etl", "Create", 1)
    told.tell(failed_calls.TELL_SECONDS)
    told.tell(2 * failed_calls.TELL_SECONDS)
    assert lines_of(caplog) == ["calls failed besides: 9995 JOB_UNKNOWN of etl; the last was GetJob"]
    assert told.has_line("JOB_UNKNOWN", "etl", "GetJob", 2 * failed_calls.TELL_SECONDS)


def test_many_callers_that_fail_have_no_more_lines_than_a_few_have(caplog: pytest.LogCaptureFixture) -> None:
    told = FailedCalls(logging.getLogger("headgate_server.access"))

    own = sum(told.has_line("JOB_UNKNOWN", f"caller-{number}", "GetJob", 1) for number in range(10_000))

    assert own == failed_calls.MOST_LINES
