"""Waiting for parents."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import GetInstance, StartInstances
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.view import Hints
from headgate_worker.core.rules.blocked_runs import look
from tests.worker.core.building import NO_STARTER, NOW_MS, job, row, view

_CHILD = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100)
_RELEASED = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100, parent_end_time=timestamp(NOW_MS - 10_000))


@pytest.mark.parametrize(
    "state", [pb.RUN_STATE_RUNNING, pb.RUN_STATE_STARTING, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_CREATED]
)
def test_a_child_costs_nothing_while_its_parent_has_not_ended(state: pb.RunState.ValueType) -> None:
    parent = row(0, state)

    assert look(view(job(parent, _CHILD)), _CHILD, parent) is None


@pytest.mark.parametrize("state", [pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, pb.RUN_STATE_STOPPED])
def test_a_child_is_read_at_once_when_its_parent_has_ended(state: pb.RunState.ValueType) -> None:
    parent = row(0, state)
    found = look(view(job(parent, _CHILD)), _CHILD, parent)

    assert found is not None
    at_ms, act = found
    assert at_ms <= NOW_MS
    assert act.call == GetInstance(101)
    assert act.drafts[0].runs[0].parent_end_time == timestamp(NOW_MS)


_PARENT = row(0, pb.RUN_STATE_SUCCEEDED)
_GRACE_ENDS = NOW_MS + 80_000


def _look(hints: Hints, now_ms: int = NOW_MS) -> tuple[int, object]:
    """When something is due for the released child, and what."""
    found = look(view(job(_PARENT, _RELEASED), hints, now_ms=now_ms), _RELEASED, _PARENT)
    assert found is not None
    return found[0], found[1].call


def test_a_released_child_is_read_at_its_interval_and_when_the_grace_ends() -> None:
    assert _look(Hints(poll_at_ms={1: NOW_MS + 500})) == (NOW_MS + 500, GetInstance(101))
    assert _look(Hints(poll_at_ms={1: _GRACE_ENDS + 7_000})) == (_GRACE_ENDS, GetInstance(101))


def test_a_child_is_started_once_it_was_read_not_run_after_the_grace() -> None:
    seen_idle = Hints(idle_at_ms={1: _GRACE_ENDS}, poll_at_ms={1: _GRACE_ENDS + 5_000})

    assert _look(seen_idle, _GRACE_ENDS) == (_GRACE_ENDS, StartInstances((101,)))


def test_a_child_is_read_again_before_it_is_started_late() -> None:
    """Found by the simulator: after a gap, a child that upstream had started meanwhile was asked for again."""
    before_the_grace = Hints(idle_at_ms={1: NOW_MS}, poll_at_ms={1: NOW_MS + 2_000})
    assert _look(before_the_grace, _GRACE_ENDS + 60_000) == (NOW_MS + 2_000, GetInstance(101))

    long_ago = Hints(idle_at_ms={1: _GRACE_ENDS}, poll_at_ms={1: _GRACE_ENDS + 2_000})
    assert _look(long_ago, _GRACE_ENDS + 60_000) == (_GRACE_ENDS + 2_000, GetInstance(101))


@pytest.mark.parametrize("fields", NO_STARTER)
def test_no_child_is_started_by_a_job_that_is_not_to(fields: dict[str, object]) -> None:
    parent = row(0, pb.RUN_STATE_SUCCEEDED)
    found = look(view(job(parent, _RELEASED, **fields), now_ms=NOW_MS + 10**6), _RELEASED, parent)

    assert found is not None
    assert found[1].call == GetInstance(101)


def test_a_parent_outside_the_job_is_read_itself() -> None:
    child = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=777)
    found = look(view(job(child), Hints(poll_at_ms={1: 5})), child, None)

    assert found is not None
    assert (found[0], found[1].call, found[1].subject) == (5, GetInstance(777), 1)
