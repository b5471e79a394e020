"""Business dates: midnight in UTC+8."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from headgate_emulator.dataworks.dates import business_date, days, midnight_ms

DAY = date(2025, 2, 5)


def test_a_business_date_is_midnight_in_utc_plus_8() -> None:
    assert midnight_ms(DAY) == 1738684800000


@given(st.dates(date(1971, 1, 1), date(2100, 1, 1)), st.integers(0, 86_399_999))
def test_every_moment_of_a_day_is_that_day(day: date, offset: int) -> None:
    assert business_date(midnight_ms(day) + offset) == day


def test_days_include_both_ends_and_may_be_none() -> None:
    assert days(DAY, date(2025, 2, 7)) == [DAY, date(2025, 2, 6), date(2025, 2, 7)]
    assert days(DAY, date(2025, 2, 4)) == []
