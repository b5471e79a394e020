"""The creates of a backfill: every date in exactly one, as few as the window and upstream's 7 ranges allow."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.facts.create_windows import DEFAULT_AHEAD, all_ranges, made_ms, next_ranges
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


@pytest.mark.parametrize(
    ("run_ms", "took_ms", "least"),
    [
        (0, None, 30),  # nothing is known
        (60_000, None, 30),
        (1_500, None, 15),  # ten lanes end 67 dates while a create is made: as early as is allowed
        (1_500, 2_000, 30),  # 13 dates end meanwhile
        (1_500, 4_000, 23),
        (1_500, 60_000, 15),  # slower than assumed counts as what is assumed
        (1_500, -70_000, 30),  # upstream's clock is behind: a create takes a second at least
    ],
)
def test_dates_that_are_short_are_created_in_large_calls_where_creates_are_quick(
    run_ms: int, took_ms: int | None, least: int
) -> None:
    of, planned = spec(), [day(n) for n in range(100)]
    of.default_run_properties.parallelism = 10
    sizes = [dates.span(next_ranges(of, planned, DEFAULT_AHEAD - n, run_ms, took_ms)) for n in range(DEFAULT_AHEAD)]

    assert next(size for size in sizes if size) == least


def at(ms: int) -> Timestamp:
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def test_how_long_a_create_takes_is_seen_at_its_first_begin() -> None:
    job = pb.Job(operations=[pb.UpstreamOperation(index=n, intent_time=at(n * 10_000)) for n in range(3)])
    assert made_ms(job) is None

    job.runs.add(index=0, operation_index=0, started_time=at(4_000))
    job.runs.add(index=1, operation_index=0, started_time=at(3_000))
    assert made_ms(job) == 3_000

    job.operations[1].early_start_time.CopyFrom(at(12_500))
    job.runs.add(index=2, operation_index=1, started_time=at(10_000))
    assert made_ms(job) == 2_500
