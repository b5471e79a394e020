"""The ideal schedule and the fewest calls that the row of idle lanes is held against."""

from __future__ import annotations

import pytest
from bench.schedule import Calls, Work, ideal_ms, least_calls
from hypothesis import given
from hypothesis import strategies as st

some_durations = st.lists(st.integers(1, 10_000), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("durations", "lanes", "expected_ms"),
    [([], 3, 0), ([5], 3, 5), ([5, 5, 5], 1, 15), ([9, 1, 1, 1], 2, 9), ([1, 9, 1, 9], 2, 11)],
)
def test_each_date_takes_the_lane_that_is_free_first(durations: list[int], lanes: int, expected_ms: int) -> None:
    assert ideal_ms(durations, lanes) == expected_ms


@given(some_durations, st.integers(1, 20))
def test_the_ideal_is_never_below_the_work_and_the_longest_date(durations: list[int], lanes: int) -> None:
    ideal = ideal_ms(durations, lanes)

    assert ideal >= max(max(durations), -(-sum(durations) // lanes))
    assert ideal <= sum(durations) / lanes + max(durations)


def _work(count: int, **fields: int) -> Work:
    of = {"lanes": 10, "ahead": 60, **fields}
    return Work(
        (60_000,) * count, of["lanes"], of["ahead"], lambda took, unknown: 4 if unknown else 3, of.get("held", 0)
    )


def test_one_create_is_started_by_one_call() -> None:
    assert least_calls(_work(60)) == Calls(creates=1, confirms=1, starts=1, reads=60 + 180 + 10)


def test_each_lane_of_a_later_create_is_started_by_a_call_of_its_own() -> None:
    """Ten lanes run, so that fifty of the sixty are for another create."""
    assert least_calls(_work(111)) == Calls(creates=3, confirms=3, starts=1 + 10 + 1, reads=111 * 4 + 10)


def test_what_upstream_does_not_begin_is_read_and_started() -> None:
    assert least_calls(_work(60, held=7)) == Calls(creates=1, confirms=1, starts=8, reads=240 + 10 + 7)


def test_nothing_to_do_needs_no_call() -> None:
    assert least_calls(_work(0)).total == 0
