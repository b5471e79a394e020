"""The creates of a backfill: every date in exactly one, as few as the window and upstream's 7 ranges allow."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.facts.create_windows import DEFAULT_AHEAD, all_ranges, next_ranges
from tests.worker.core.building import day, spec

FIRST = date(2024, 1, 1)
some_days = st.sets(st.integers(0, 200), min_size=1, max_size=120).map(
    lambda numbers: [FIRST + timedelta(days=n) for n in sorted(numbers)]
)
windows = st.sampled_from([0, 1, 2, 5, 60, 1100])
modes = st.sampled_from([pb.START_MODE_UNSPECIFIED, pb.START_MODE_UPSTREAM])
orders = st.sampled_from([pb.BACKFILL_ORDER_ASC, pb.BACKFILL_ORDER_DESC])


@given(some_days, windows, modes, orders)
def test_every_date_is_created_once_within_the_bounds(
    days: list[date], window: int, mode: pb.StartMode.ValueType, order: pb.BackfillOrder.ValueType
) -> None:
    of = spec(max_created_ahead=window, start_mode=mode)
    of.default_run_properties.order = order

    calls = all_ranges(of, days)

    asked = [one for ranges in calls for one in dates.walk(ranges)]
    assert sorted(asked) == days
    assert all(0 < len(ranges) <= dates.MAX_RANGES_PER_CALL for ranges in calls)
    assert all(dates.span(ranges) <= (window or DEFAULT_AHEAD) for ranges in calls)
    firsts = [min(dates.walk(ranges)) for ranges in calls]
    assert firsts == sorted(firsts, reverse=order == pb.BACKFILL_ORDER_DESC)


@given(some_days)
def test_without_a_window_the_calls_are_as_few_as_ranges_allow(days: list[date]) -> None:
    assert all_ranges(spec(max_created_ahead=1100), days) == list(dates.to_calls(days))


@pytest.mark.parametrize(("unfinished", "asked"), [(0, 4), (2, 2), (3, 0), (4, 0)])
def test_a_window_is_filled_when_it_is_half_empty(unfinished: int, asked: int) -> None:
    planned = [day(n) for n in range(9)]

    assert dates.span(next_ranges(spec(max_created_ahead=4), planned, unfinished)) == asked
