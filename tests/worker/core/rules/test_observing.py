"""Which instance is read next, and what a read changes."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.model.calls import FailureKind, GetInstance, Reply
from headgate_worker.core.model.hints_codec import decode_hints, encode_hints
from headgate_worker.core.model.steps import Act, timestamp
from headgate_worker.core.model.view import Hints
from headgate_worker.core.planner import absorb
from headgate_worker.core.rules.observing import looks, next_look_ms, read
from tests.worker.core.building import (
    NOT_RUN,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    acted,
    cancel,
    confirmed,
    failure,
    job,
    reason,
    row,
    seen,
    spec,
    states,
    taken,
    view,
)


def test_the_most_overdue_run_is_read_first() -> None:
    runs = row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_STARTING), row(2, pb.RUN_STATE_SUCCEEDED)
    hints = Hints(poll_at_ms={0: NOW_MS - 1, 1: NOW_MS - 5, 2: 0})

    act = acted(read(view(job(*runs), hints)))
    assert (act.call, act.subject) == (GetInstance(101), 1)


def test_nothing_is_read_before_its_time() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING)), Hints(poll_at_ms={0: NOW_MS + 7}))

    assert read(of) is None
    assert next_look_ms(of) == NOW_MS + 7


def test_a_chain_of_blocked_runs_costs_nothing() -> None:
    runs = row(0, pb.RUN_STATE_RUNNING), *(row(n, pb.RUN_STATE_BLOCKED, blocked_by_id=99 + n) for n in range(1, 5))
    of = view(job(*runs), Hints(poll_at_ms={0: NOW_MS + 7}))

    assert read(of) is None
    assert next_look_ms(of) == NOW_MS + 7


def test_instances_that_another_is_to_start_are_read_by_a_create_job_only() -> None:
    run = row(0, pb.RUN_STATE_CREATED)

    assert read(view(job(run))) is None
    assert read(view(job(run, create=pb.CreateWorkflowInstancesSpec()))) is not None


@pytest.mark.parametrize("state", [pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED])
def test_what_waits_is_read_last_in_a_cancel(state: pb.RunState.ValueType) -> None:
    idle = row(1, state, stop_time=timestamp(NOW_MS))
    busy = view(job(row(0, pb.RUN_STATE_RUNNING), idle, **cancel()), Hints(poll_at_ms={0: NOW_MS + 1}))
    assert read(busy) is None

    calm = view(job(row(0, pb.RUN_STATE_STOPPED), idle, **cancel()))
    assert acted(read(calm)).call == GetInstance(101)


@pytest.mark.parametrize(
    ("order", "first"),
    [(pb.BACKFILL_ORDER_ASC, 101), (pb.BACKFILL_ORDER_DESC, 103), (pb.BACKFILL_ORDER_UNSPECIFIED, 101)],
)
def test_what_waits_is_read_in_the_order_in_which_it_would_run(order: pb.BackfillOrder.ValueType, first: int) -> None:
    """Found by the simulator: a child was read, and then its parent was found running, and released it."""
    chosen = spec(4, default_run_properties=pb.DefaultRunProperties(parallelism=1, order=order))
    idle = [row(n, pb.RUN_STATE_CREATED, stop_time=timestamp(NOW_MS)) for n in (1, 2, 3)]
    of = view(job(row(0, pb.RUN_STATE_STOPPED), *idle, backfill=chosen, **cancel()))

    assert [act.call for _, act in looks(of)] == [GetInstance(first)]


def test_what_a_blocked_run_waits_for_is_read_before_it() -> None:
    idle = row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=102), row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100)
    parent = row(2, pb.RUN_STATE_BLOCKED, blocked_by_id=777)

    assert acted(read(view(job(*idle, parent, **cancel())))).call == GetInstance(102)
    start = pb.StartWorkflowInstancesSpec(ids=[100, 101, 102])
    assert len(list(looks(view(job(*idle, parent, start=start, **cancel()))))) == 3


def test_a_cancelled_child_of_a_parent_that_is_not_the_jobs_is_read_after_it() -> None:
    """Found by seed 807664: it counted as stopped, and the parent, which ran on, released it."""
    start = pb.StartWorkflowInstancesSpec(ids=[100])
    of = view(
        job(row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=777, stop_time=timestamp(NOW_MS)), start=start, **cancel())
    )
    assert acted(read(of)).call == GetInstance(777)

    ended = taken(of, absorbed(of, GetInstance(777), seen(777, SUCCESS), 0))
    soon, later = (view(ended, Hints(), now_ms=NOW_MS + ms) for ms in (100, 10_000))
    assert acted(read(soon)).call == GetInstance(100)
    assert states(taken(soon, absorbed(soon, GetInstance(100), seen(100, NOT_RUN), 0))) == ["BLOCKED"]
    assert states(taken(later, absorbed(later, GetInstance(100), seen(100, NOT_RUN), 0))) == ["STOPPED"]


def test_the_instances_of_a_stop_job_may_release_each_other_too() -> None:
    """Found by the simulator: a stopped parent released a child that had been read NotRun before."""
    idle = row(1, pb.RUN_STATE_CREATED, stop_time=timestamp(NOW_MS))
    stop = pb.StopWorkflowInstancesSpec(ids=[100, 101])
    of = view(job(row(0, pb.RUN_STATE_RUNNING), idle, stop=stop), Hints(poll_at_ms={0: NOW_MS + 1}))

    assert read(of) is None


def test_when_it_was_read_not_run_is_remembered() -> None:
    child = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100, parent_end_time=timestamp(NOW_MS))
    of = view(job(row(0, pb.RUN_STATE_SUCCEEDED), child))

    assert absorbed(of, GetInstance(101), seen(101, NOT_RUN), 1).hints.idle_at_ms == {1: NOW_MS}
    assert absorbed(of, GetInstance(101), seen(101, RUNNING), 1).hints.idle_at_ms == {}


def test_a_read_that_says_nothing_new_makes_no_event() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING)))
    first = absorbed(of, GetInstance(100), seen(100, RUNNING), 0)
    again = absorbed(view(taken(of, first)), GetInstance(100), seen(100, RUNNING), 0)

    assert len(first.drafts) == 1
    assert again.drafts == ()
    assert again.hints.poll_at_ms[0] > NOW_MS


def test_an_ended_run_is_forgotten_by_the_hints() -> None:
    change = absorbed(
        view(job(row(0, pb.RUN_STATE_RUNNING)), Hints(starts={0: 1})), GetInstance(100), seen(100, SUCCESS), 0
    )

    assert change.hints == Hints()


def test_a_child_that_upstream_started_is_adopted() -> None:
    parent = row(0, pb.RUN_STATE_SUCCEEDED, finished_time=timestamp(NOW_MS))
    child = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100, parent_end_time=timestamp(NOW_MS))
    of = view(job(parent, child))
    began = seen(101, RUNNING, started_time=timestamp(NOW_MS))
    after = taken(of, absorbed(of, GetInstance(101), began, 1)).runs[1]

    assert (after.state, after.started_by) == (pb.RUN_STATE_RUNNING, pb.STARTED_BY_UPSTREAM)


@pytest.mark.parametrize(
    ("ahead_ms", "by"), [(0, pb.STARTED_BY_UPSTREAM), (-1, pb.STARTED_BY_UPSTREAM), (1, pb.STARTED_BY_OPERATOR)]
)
def test_a_child_that_began_before_its_parent_had_ended_was_started_by_somebody(
    ahead_ms: int, by: pb.StartedBy.ValueType
) -> None:
    """Both times are upstream's own, so they may be compared."""
    parent = row(0, pb.RUN_STATE_SUCCEEDED, finished_time=timestamp(NOW_MS))
    child = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100, parent_end_time=timestamp(NOW_MS))
    of = view(job(parent, child))
    began = seen(101, RUNNING, started_time=timestamp(NOW_MS - ahead_ms))

    assert taken(of, absorbed(of, GetInstance(101), began, 1)).runs[1].started_by == by


def test_a_lost_hint_of_the_start_begins_the_grace_anew() -> None:
    of = view(job(row(0, pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE), operations=[confirmed(0)]))

    assert absorbed(of, GetInstance(100), seen(100, NOT_RUN), 0).hints.asked_at_ms == {0: NOW_MS}


_CHILD = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=777)


def test_a_parent_outside_the_job_releases_its_child() -> None:
    of = view(job(_CHILD, backfill=pb.BackfillSpec()), Hints(absent=frozenset({0})))
    of.job.runs[0].index = 0

    assert absorbed(of, GetInstance(777), seen(100, RUNNING), 0).drafts == ()
    ended = taken(of, absorbed(of, GetInstance(777), seen(100, SUCCESS), 0))
    gone = taken(of, absorbed(of, GetInstance(777), failure(FailureKind.NOT_FOUND), 0))
    assert ended.runs[0].HasField("parent_end_time")
    assert gone.runs[0].HasField("parent_end_time")


def test_an_instance_that_is_not_found_once_is_looked_for_again() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING)))
    once = absorbed(of, GetInstance(100), failure(FailureKind.NOT_FOUND), 0)
    back = absorbed(view(of.job, once.hints), GetInstance(100), seen(100, RUNNING), 0)

    assert once.drafts == ()
    assert once.hints.retry_at_ms > NOW_MS
    assert decode_hints(encode_hints(once.hints)).absent == {0}
    assert back.hints.absent == frozenset()


def test_an_instance_that_is_gone_is_not_resolved() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING)), Hints(absent=frozenset({0})))
    after = taken(of, absorbed(of, GetInstance(100), failure(FailureKind.NOT_FOUND), 0))

    assert states(after) == ["UNRESOLVED"]
    assert reason(after.runs[0].error) == "INSTANCE_UNKNOWN"


@pytest.mark.parametrize("kind", [k for k in FailureKind if k is not FailureKind.NOT_FOUND])
def test_a_read_that_failed_is_tried_again(kind: FailureKind) -> None:
    change = absorbed(view(job(row(0, pb.RUN_STATE_RUNNING))), GetInstance(100), failure(kind), 0)

    assert change.drafts == ()
    assert change.hints.retry_at_ms > NOW_MS


def test_a_read_that_comes_after_the_end_changes_nothing() -> None:
    of = view(job(row(0, pb.RUN_STATE_UNRESOLVED)))

    assert absorbed(of, GetInstance(100), seen(100, SUCCESS), 0).drafts == ()
    assert absorbed(of, GetInstance(100), failure(FailureKind.NOT_FOUND), 0).drafts == ()


KNOWN_MS = NOW_MS - 20_000


def due_look(run: pb.InstanceRun, **hints: Any) -> Act:
    return acted(read(view(job(run), Hints(poll_at_ms={0: NOW_MS - 1}, **hints))))


def test_what_others_have_read_of_a_running_instance_since_it_was_known_will_do() -> None:
    assert due_look(row(0, pb.RUN_STATE_RUNNING), read_at_ms={0: KNOWN_MS}).since_ms == KNOWN_MS + 1


def test_what_others_read_before_a_stop_or_its_refusal_will_not_do() -> None:
    stopped = row(0, pb.RUN_STATE_RUNNING, stop_time=timestamp(NOW_MS - 5_000))

    assert due_look(stopped, read_at_ms={0: KNOWN_MS}).since_ms == NOW_MS - 4_999
    refused = due_look(row(0, pb.RUN_STATE_RUNNING), read_at_ms={0: KNOWN_MS}, stop_asked_ms={0: NOW_MS - 3_000})
    assert refused.since_ms == NOW_MS - 2_999


@pytest.mark.parametrize("state", [pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING])
def test_what_is_not_known_to_run_is_read_anew(state: pb.RunState.ValueType) -> None:
    known = {0: KNOWN_MS} if state == pb.RUN_STATE_STARTING else {}

    assert due_look(row(0, state), read_at_ms=known).since_ms == 0


def test_the_parent_of_others_is_shared_and_the_child_it_has_released_is_not() -> None:
    waits = row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=9)
    released = row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=9, parent_end_time=timestamp(NOW_MS - 1_000))

    assert due_look(waits, read_at_ms={0: KNOWN_MS}).since_ms == KNOWN_MS + 1
    assert due_look(released, read_at_ms={0: KNOWN_MS}).since_ms == 0


def test_the_next_look_is_counted_from_when_others_have_read() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING)), Hints(asked_at_ms={0: NOW_MS - 10**6}))
    shared = Reply(seen(100, RUNNING, started_time=timestamp(NOW_MS - 10**6)), "request-1", 0.0, at_ms=NOW_MS - 10_000)

    hints = absorb(of, Act(call=GetInstance(100), subject=0), shared).hints

    assert hints.read_at_ms == {0: NOW_MS - 10_000}
    assert hints.poll_at_ms[0] == NOW_MS - 10_000 + of.policy.poll_max_ms
