"""How long a run is likely to take, by earlier dates."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.core.facts.durations import RECENT, Window, expectation, from_durations
from headgate_worker.core.model.steps import timestamp
from tests.worker.core.building import NOW_MS, job, row, view

minutes = st.integers(1, 10**8)


def ran(number: int, took_ms: int, state: pb.RunState.ValueType = pb.RUN_STATE_SUCCEEDED) -> pb.InstanceRun:
    begin = NOW_MS + number * 10_000_000
    return row(number, state, started_time=timestamp(begin), finished_time=timestamp(begin + took_ms))


def test_nothing_is_expected_before_a_date_has_succeeded() -> None:
    failed = ran(0, 1_000, pb.RUN_STATE_FAILED)

    assert expectation(view(job(failed, row(1, pb.RUN_STATE_RUNNING)))) == ()


def test_one_date_may_be_wrong_by_a_fifth() -> None:
    assert from_durations([100_000]) == (Window(80_000, 100_000, 120_000),)


def test_dates_that_agree_make_a_narrow_window() -> None:
    assert from_durations([100_000] * 4) == (Window(95_000, 100_000, 105_000),)


def test_dates_that_scatter_make_one_wide_window() -> None:
    assert from_durations([10_000, 40_000, 90_000, 400_000]) == (Window(0, 90_000, 530_000),)


def test_two_kinds_of_date_make_two_windows() -> None:
    assert from_durations([10_000, 10_000, 90_000, 90_000]) == (
        Window(9_500, 10_000, 10_500),
        Window(85_500, 90_000, 94_500),
    )


def test_a_single_other_date_is_no_kind() -> None:
    assert len(from_durations([10_000, 90_000, 90_000])) == 1


def test_only_the_dates_that_ended_last_count() -> None:
    rows = [ran(n, 1_000) for n in range(20)] + [ran(20 + n, 50_000) for n in range(RECENT)]

    assert expectation(view(job(*reversed(rows)))) == from_durations([50_000] * RECENT)


def test_times_that_make_no_sense_are_left_out() -> None:
    assert expectation(view(job(ran(0, -5_000), ran(1, 0)))) == ()


@given(st.lists(minutes, min_size=1, max_size=RECENT))
def test_every_earlier_duration_lies_in_a_window(durations: list[int]) -> None:
    windows = from_durations(durations)

    assert all(any(w.soonest_ms <= one <= w.latest_ms for w in windows) for one in durations)
    assert [w.latest_ms for w in windows] == sorted(w.latest_ms for w in windows)
