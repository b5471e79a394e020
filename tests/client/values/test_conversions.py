"""Times, spans and dates of Python as messages."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from headgate.backfill.dates import from_message
from headgate_client.values.conversions import date_range, duration, timestamp


@pytest.mark.parametrize(
    ("span", "nanos"),
    [(1.5, 1_500_000_000), (timedelta(seconds=2), 2_000_000_000), (0, 0), (timedelta(microseconds=1), 1_000)],
)
def test_a_span_is_a_timedelta_or_seconds(span: timedelta | float, nanos: int) -> None:
    assert duration(span).ToNanoseconds() == nanos


def test_none_stays_none() -> None:
    assert duration(None) is None and timestamp(None) is None


def test_a_moment_is_the_same_in_every_zone_and_needs_one() -> None:
    moment = datetime(2025, 2, 5, 12, tzinfo=UTC)

    assert timestamp(moment) == timestamp(moment.astimezone(timezone(timedelta(hours=8))))
    with pytest.raises(ValueError, match="time zone"):
        timestamp(moment.replace(tzinfo=None))


def test_a_range_has_both_ends_and_may_be_one_date() -> None:
    year, day = date_range("2025-01-01", date(2025, 12, 31)), date_range(date(2025, 2, 5))

    assert (from_message(year.start_biz_date), from_message(year.end_biz_date)) == (
        date(2025, 1, 1),
        date(2025, 12, 31),
    )
    assert from_message(day.start_biz_date) == from_message(day.end_biz_date) == date(2025, 2, 5)
    with pytest.raises(ValueError, match="day"):
        date_range("2025-02-30")
