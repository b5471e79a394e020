"""Business dates: the algebra of sets and ranges."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates

days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
sets_of_days = st.sets(st.dates(date(2024, 1, 1), date(2024, 6, 30)), max_size=60).map(sorted)


def _range(first: date, last: date) -> pb.DateRange:
    return pb.DateRange(start_biz_date=dates.to_message(first), end_biz_date=dates.to_message(last))


@given(day=days)
def test_a_date_survives_its_message(day: date) -> None:
    assert dates.from_message(dates.to_message(day)) == day


@pytest.mark.parametrize("message", [Date(), Date(year=2024), Date(year=2023, month=2, day=29), Date(year=1, month=13)])
def test_a_date_that_does_not_exist_is_refused(message: Date) -> None:
    with pytest.raises(ValueError, match=r"."):
        dates.from_message(message)


@given(day=days)
def test_a_business_date_is_midnight_in_shanghai(day: date) -> None:
    millis = dates.midnight_millis(day)

    shanghai = datetime.fromtimestamp(millis / 1000, UTC).astimezone(timezone(timedelta(hours=8)))
    assert (shanghai.date(), shanghai.hour, shanghai.minute) == (day, 0, 0)
    assert dates.business_date(millis) == dates.business_date(millis + 86_399_999) == day


def test_the_business_date_of_seed_000() -> None:
    assert dates.midnight_millis(date(2025, 2, 5)) == 1_738_684_800_000


@given(chosen=sets_of_days)
def test_ranges_hold_exactly_the_dates_and_are_the_fewest(chosen: list[date]) -> None:
    ranges = dates.to_ranges(chosen)

    assert list(dates.walk(ranges)) == chosen
    gaps = sum(later - earlier > timedelta(days=1) for earlier, later in itertools.pairwise(chosen))
    assert len(ranges) == (gaps + 1 if chosen else 0)


@given(chosen=sets_of_days, most=st.integers(1, 9))
def test_calls_hold_each_date_once_and_are_the_fewest(chosen: list[date], most: int) -> None:
    calls = dates.to_calls(chosen, max_ranges=most)

    assert [day for call in calls for day in dates.walk(call)] == chosen
    assert all(0 < len(call) <= most for call in calls)
    assert len(calls) == -(-len(dates.to_ranges(chosen)) // most)


def test_both_ends_of_a_range_belong_to_it() -> None:
    first = date(2024, 2, 28)

    assert list(dates.walk([_range(first, date(2024, 3, 1))])) == [first, date(2024, 2, 29), date(2024, 3, 1)]
    assert list(dates.walk([_range(first, first)])) == [first]
    assert list(dates.walk([_range(first, date(2024, 2, 27))])) == []


@given(ends=st.lists(st.tuples(days, st.integers(-5, 40)), max_size=4))
def test_a_span_is_counted_without_walking(ends: list[tuple[date, int]]) -> None:
    ranges = [_range(first, first + timedelta(days=length)) for first, length in ends if first.year < 2099]

    assert dates.span(ranges) == len(list(dates.walk(ranges)))


@given(chosen=sets_of_days, excluded=sets_of_days, weekdays=st.sets(st.integers(1, 7)), month_ends=st.booleans())
def test_a_backfill_runs_what_was_chosen_and_nothing_else(
    chosen: list[date], excluded: list[date], weekdays: set[int], month_ends: bool
) -> None:
    spec = pb.BackfillSpec(
        biz_dates=[*dates.to_ranges(chosen), *dates.to_ranges(chosen)],
        exclude_biz_dates=map(dates.to_message, excluded),
        days_of_week=sorted(weekdays),
        month_ends_only=month_ends,
    )
    kept = [
        day
        for day in chosen
        if day not in excluded
        and (not weekdays or day.isoweekday() in weekdays)
        and (not month_ends or (day + timedelta(days=1)).day == 1)
    ]

    assert list(dates.chosen(spec)) == kept


@given(day=days)
def test_the_day_after_a_month_end_is_the_first(day: date) -> None:
    assert dates.is_month_end(day) == ((day + timedelta(days=1)).day == 1)
