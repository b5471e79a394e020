"""Which reads come before the stop of what is to be stopped only as long as it has not begun."""

from __future__ import annotations

from typing import Any

from headgate import pb
from headgate_worker.core.model.calls import GetInstance
from headgate_worker.core.model.steps import Act
from headgate_worker.core.model.view import Hints
from headgate_worker.core.rules.not_begun import FRESH_MS, QUEUED_MS, ready
from tests.worker.core.building import NOW_MS, job, row, view


def chain(first: int, count: int, head: pb.RunState.ValueType) -> list[pb.InstanceRun]:
    """Runs of which each waits for the one before."""
    rest = (row(n, pb.RUN_STATE_BLOCKED, blocked_by_id=99 + n) for n in range(first + 1, first + count))
    return [row(first, head), *rest]


def found(runs: list[pb.InstanceRun], wanted: list[int], **hints: Any) -> list[int] | int:
    """The indexes that may be stopped now, or the instance that is read first."""
    step = ready(view(job(*runs), Hints(**hints)), [runs[index] for index in wanted])
    if not isinstance(step, Act):
        return [run.index for run in step]
    assert isinstance(step.call, GetInstance) and step.subject == step.call.id - 100
    return step.call.id


def test_the_parent_that_runs_is_read_for_all_that_wait_behind_it() -> None:
    runs = chain(0, 4, pb.RUN_STATE_RUNNING)

    assert found(runs, [1, 2, 3]) == 100
    assert found(runs, [1, 2, 3], read_at_ms={0: NOW_MS}) == [1, 2, 3]


def test_the_first_that_waits_is_read_where_its_parent_has_ended() -> None:
    runs = chain(0, 3, pb.RUN_STATE_FAILED)

    assert found(runs, [1, 2]) == 101
    assert found(runs, [1, 2], idle_at_ms={1: NOW_MS}) == [1, 2]
    assert found(runs, [1, 2], read_at_ms={1: NOW_MS}) == 101  # read, and not seen NotRun


def test_a_run_without_a_known_parent_is_read_itself() -> None:
    runs = [row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=999)]

    assert found(runs, [0, 1]) == 100
    assert found(runs, [0, 1], idle_at_ms={0: NOW_MS}) == 101
    assert found(runs, [0, 1], idle_at_ms={0: NOW_MS, 1: NOW_MS}) == [0, 1]


def test_a_read_holds_for_some_seconds_and_for_minutes_while_the_stop_queues() -> None:
    runs = chain(0, 2, pb.RUN_STATE_RUNNING)
    fresh, queued = {0: NOW_MS - FRESH_MS}, {0: NOW_MS - QUEUED_MS}

    assert found(runs, [1], read_at_ms=fresh) == [1]
    assert found(runs, [1], read_at_ms={0: NOW_MS - FRESH_MS - 1}) == 100
    assert found(runs, [1], read_at_ms=queued, slot_class="write") == [1]
    assert found(runs, [1], read_at_ms=queued, queues_since_ms=1) == [1]
    assert found(runs, [1], read_at_ms=queued, slot_class="read") == 100


def test_the_stop_does_not_wait_for_other_chains_once_a_read_is_half_spent() -> None:
    runs = chain(0, 2, pb.RUN_STATE_RUNNING) + chain(2, 2, pb.RUN_STATE_RUNNING)

    assert found(runs, [1, 3], read_at_ms={0: NOW_MS - FRESH_MS // 2}) == 102
    assert found(runs, [1, 3], read_at_ms={0: NOW_MS - FRESH_MS // 2 - 1}) == [1]


def test_runs_that_wait_for_each_other_are_no_endless_chain() -> None:
    runs = [row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=101), row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100)]

    assert found(runs, [0, 1], idle_at_ms={0: NOW_MS, 1: NOW_MS}) == [0, 1]
