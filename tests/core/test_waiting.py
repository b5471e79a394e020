"""Waiting for parents."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.calls import GetInstance, StartInstances
from headgate_worker.core.steps import timestamp
from headgate_worker.core.view import Hints
from headgate_worker.core.waiting import look
from tests.core.building import NO_STARTER, NOW_MS, job, row, view

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


def test_a_child_that_stays_not_run_is_read_until_the_grace_and_then_started() -> None:
    parent = row(0, pb.RUN_STATE_SUCCEEDED)
    of = view(job(parent, _RELEASED), Hints(poll_at_ms={1: NOW_MS + 500}))
    assert look(of, _RELEASED, parent) == (NOW_MS + 500, look_act(GetInstance(101)))

    late = view(of.job, of.hints, now_ms=NOW_MS + 80_000)
    found = look(late, _RELEASED, parent)
    assert found is not None
    assert (found[0], found[1].call) == (NOW_MS + 80_000, StartInstances((101,)))


def look_act(call: GetInstance) -> object:
    """The act of a read of the second run."""
    from headgate_worker.core.steps import Act

    return Act(call=call, subject=1)


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
