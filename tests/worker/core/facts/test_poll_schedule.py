"""When to look again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.durations import Window, from_durations
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.view import Hints, Policy, View
from tests.worker.core.building import NOW_MS, failure, job, row, spec, view

POLICY = Policy()
jitter = st.floats(0, 1, exclude_max=True)


@given(failures=st.integers(1, 10_000), jitter=jitter)
def test_a_backoff_stays_within_its_bounds(failures: int, jitter: float) -> None:
    wait_ms = poll_schedule.backoff_ms(failures, jitter, POLICY)

    longest = min(POLICY.backoff_max_ms, POLICY.backoff_min_ms * 2 ** min(failures - 1, 16))
    assert 0 < longest / 2 - 1 <= wait_ms <= longest


def test_backoffs_double_until_they_are_capped() -> None:
    waits = [poll_schedule.backoff_ms(n, 1.0, POLICY) for n in range(1, 9)]

    assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]


@given(running_ms=st.integers(0, 10**12))
def test_the_interval_grows_with_the_run_and_is_bounded(running_ms: int) -> None:
    interval = poll_schedule.poll_interval_ms(running_ms, POLICY)

    assert POLICY.poll_min_ms <= interval <= POLICY.poll_max_ms
    assert interval <= poll_schedule.poll_interval_ms(running_ms + 1_000, POLICY)


@given(started_ms=st.integers(NOW_MS - 10**9, NOW_MS + 10**9), jitter=jitter)
def test_the_next_read_is_never_past_and_never_further_than_the_longest_interval(
    started_ms: int, jitter: float
) -> None:
    run = row(0, pb.RUN_STATE_RUNNING, started_time=timestamp(started_ms))
    of = View(job(run), Hints(), NOW_MS, jitter)

    at_ms = poll_schedule.next_poll_ms(of, run)

    assert NOW_MS < at_ms <= NOW_MS + POLICY.poll_max_ms


def test_an_instance_that_others_may_start_is_read_less_and_less_often() -> None:
    run = row(0, pb.RUN_STATE_CREATED)
    of = view(job(run), Hints(asked_at_ms={0: NOW_MS - 10**7}))

    assert poll_schedule.next_poll_ms(of, run) - NOW_MS == POLICY.poll_idle_ms


def test_a_parent_outside_the_job_is_read_as_often_as_what_runs() -> None:
    run = row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=9)
    of = view(job(run), Hints(asked_at_ms={0: NOW_MS - 10**7}))

    assert poll_schedule.next_poll_ms(of, run) - NOW_MS == POLICY.poll_max_ms


def test_the_grace_is_the_callers_or_the_policys() -> None:
    chosen = spec()
    chosen.adopt_grace.FromSeconds(5)

    assert poll_schedule.adopt_grace_ms(view(job(backfill=chosen))) == 5_000
    assert poll_schedule.adopt_grace_ms(view(job())) == 90_000


@given(now_ms=st.integers(0, 4 * 10**12))
def test_the_next_day_begins_within_a_day_at_midnight_in_shanghai(now_ms: int) -> None:
    at_ms = poll_schedule.next_day_ms(now_ms)

    assert 0 < at_ms - now_ms <= 86_400_000
    assert datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S") == "16:00:00"


def test_a_failure_counts_and_waits() -> None:
    hints = poll_schedule.after_failure(view(job(), Hints(failures=2)), failure(FailureKind.TRANSIENT))

    assert hints.failures == 3
    assert NOW_MS < hints.retry_at_ms <= NOW_MS + 4_000


def test_upstreams_own_wait_is_honoured_when_it_is_longer() -> None:
    slow = failure(FailureKind.THROTTLED, retry_after_seconds=30.0)

    assert poll_schedule.after_failure(view(job()), slow).retry_at_ms == NOW_MS + 30_000


def test_a_spent_allowance_waits_for_the_next_day() -> None:
    hints = poll_schedule.after_failure(view(job()), failure(FailureKind.FROZEN))

    assert hints.retry_at_ms == poll_schedule.next_day_ms(NOW_MS)


WINDOW = (Window(570_000, 600_000, 630_000),)


@pytest.mark.parametrize(
    ("running_ms", "interval_ms"),
    [
        (0, 150_000),  # a quarter of what is expected
        (450_000, 120_000),  # to where the window begins
        (566_000, 5_000),  # so near that it counts as begun
        (600_000, 5_000),  # a twelfth of the window
        (630_000, 15_000),  # overdue: as if nothing were known
    ],
)
def test_what_runs_is_read_rarely_then_often_then_less_often(running_ms: int, interval_ms: int) -> None:
    assert poll_schedule.expected_interval_ms(running_ms, WINDOW, POLICY) == interval_ms


def test_the_end_of_a_long_run_is_far_for_three_minutes_at_most() -> None:
    day = (Window(80_000_000, 86_400_000, 90_000_000),)

    assert poll_schedule.expected_interval_ms(1_000, day, POLICY) == POLICY.poll_far_ms


def test_between_two_kinds_of_date_reads_are_rare_again() -> None:
    kinds = (Window(95_000, 100_000, 105_000), Window(570_000, 600_000, 630_000))

    assert poll_schedule.expected_interval_ms(104_000, kinds, POLICY) == POLICY.poll_min_ms
    assert poll_schedule.expected_interval_ms(106_000, kinds, POLICY) == 150_000


@given(running_ms=st.integers(0, 10**9), took=st.lists(st.integers(1, 10**8), max_size=8))
def test_an_expected_end_keeps_the_interval_within_its_bounds(running_ms: int, took: list[int]) -> None:
    interval = poll_schedule.expected_interval_ms(running_ms, from_durations(took), POLICY)

    assert POLICY.poll_min_ms <= interval <= POLICY.poll_far_ms


def after_a_date(**fields: Any) -> tuple[View, pb.InstanceRun]:
    """A second date that runs after one that took 600 s."""
    times = {"started_time": timestamp(NOW_MS - 900_000), "finished_time": timestamp(NOW_MS - 300_000)}
    run = row(1, pb.RUN_STATE_RUNNING, **fields)
    return View(job(row(0, pb.RUN_STATE_SUCCEEDED, **times), run), Hints(), NOW_MS, jitter=0.999999), run


def test_a_clock_of_upstream_that_is_ahead_does_not_make_the_end_late() -> None:
    ahead = {"started_time": timestamp(NOW_MS), "observe_time": timestamp(NOW_MS - 470_000)}

    of, run = after_a_date(**ahead)

    assert poll_schedule.next_poll_ms(of, run) - NOW_MS <= POLICY.poll_max_ms


def test_what_was_asked_to_stop_is_not_expected_to_run_on() -> None:
    times = {"started_time": timestamp(NOW_MS - 10_000), "stop_time": timestamp(NOW_MS - 1_000)}

    of, run = after_a_date(**times)

    assert poll_schedule.next_poll_ms(of, run) - NOW_MS < 2_000


def test_what_has_just_begun_is_not_read_before_its_end_is_near() -> None:
    of, run = after_a_date(started_time=timestamp(NOW_MS - 1_000))

    assert poll_schedule.next_poll_ms(of, run) - NOW_MS == 149_999
