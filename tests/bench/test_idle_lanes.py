"""Where lanes stand idle, by begins, ends and reads."""

from __future__ import annotations

from bench.idle_lanes import IdleTime, RunTimes, idle_time, of_emulator, span_ms


def test_lanes_that_follow_each_other_without_a_gap_are_never_idle() -> None:
    assert idle_time([RunTimes(0, 10, ()), RunTimes(0, 20, ()), RunTimes(10, 20, ())]) == IdleTime(0, 0, 0)


def test_a_gap_is_split_at_the_read_that_tells_the_end() -> None:
    dates = [RunTimes(0, 10, (5, 14, 30)), RunTimes(20, 40, (45,))]

    assert idle_time(dates) == IdleTime(unseen=4, waiting=6, last=0)
    assert span_ms(dates) == 40


def test_a_date_that_begins_before_the_end_was_read_was_begun_upstream() -> None:
    assert idle_time([RunTimes(0, 10, (30,)), RunTimes(12, 40, ())]) == IdleTime(unseen=2, waiting=0, last=0)


def test_the_lane_that_is_free_for_longest_comes_first_and_what_is_left_at_the_end_is_no_lack() -> None:
    dates = [RunTimes(0, 10, (10,)), RunTimes(0, 16, (16,)), RunTimes(20, 50, ())]

    assert idle_time(dates) == IdleTime(unseen=0, waiting=10, last=34)


def test_instances_of_others_and_other_calls_are_left_out() -> None:
    instances = [{"Id": n, "started_at_ms": n, "finished_at_ms": n + 5} for n in (1, 2)]
    ledger = [{"action": action, "params": {"Id": "1"}, "at_ms": 7} for action in ("GetWorkflowInstance", "Stop")]

    assert of_emulator([1], instances, ledger) == [RunTimes(1, 6, [7])]
