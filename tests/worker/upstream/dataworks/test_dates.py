from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from headgate_worker.upstream.dataworks.dates import LAST_MILLIS, business_date, iso_text, midnight_millis


@pytest.mark.parametrize(
    ("day", "millis"),
    [
        (Date(year=2025, month=2, day=5), 1738684800000),  # seed 000
        (Date(year=2025, month=2, day=6), 1738771200000),  # seed 000
        (Date(year=2024, month=2, day=29), 1709136000000),
        (Date(year=1970, month=1, day=2), 57600000),
    ],
)
def test_business_date_is_midnight_in_shanghai(day: Date, millis: int) -> None:
    assert midnight_millis(day) == millis
    assert business_date(millis) == day


def test_summer_time_of_1990_is_not_kept() -> None:
    assert datetime.fromtimestamp(midnight_millis(Date(year=1990, month=7, day=1)) / 1000, UTC).hour == 16


@given(st.integers(min_value=0, max_value=LAST_MILLIS))
def test_business_date_is_the_wall_date_at_utc_plus_8(millis: int) -> None:
    there = datetime(1970, 1, 1) + timedelta(milliseconds=millis, hours=8)

    assert business_date(millis) == Date(year=there.year, month=there.month, day=there.day)
    assert midnight_millis(business_date(millis)) <= millis


@given(st.dates())
def test_every_date_survives_the_round_trip(day: date) -> None:
    message = Date(year=day.year, month=day.month, day=day.day)

    assert iso_text(message) == day.isoformat()
    if midnight_millis(message) >= 0:
        assert business_date(midnight_millis(message)) == message


@pytest.mark.parametrize("day", [Date(), Date(year=2025, month=2, day=29), Date(year=2025)])
def test_date_that_does_not_exist_is_refused(day: Date) -> None:
    with pytest.raises(ValueError):
        midnight_millis(day)
