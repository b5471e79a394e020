"""The one door: which rule is followed, and for how long a job may be left alone."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_worker.core.model.calls import (
    CreateInstances,
    GetCreateResult,
    GetInstance,
    StartInstances,
    StopInstances,
)
from headgate_worker.core.model.steps import Act, Rest, Wait, timestamp
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.planner import IDLE_MS, plan
from tests.worker.core.building import (
    NOT_RUN,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    acted,
    blocked_on,
    cancel,
    committed,
    confirmed,
    job,
    operation,
    row,
    seen,
    spec,
    taken,
    view,
)


@pytest.mark.parametrize("state", sorted(JOB_TERMINAL))
def test_a_job_that_has_ended_rests(state: pb.JobState.ValueType) -> None:
    assert plan(view(job(row(0, pb.RUN_STATE_RUNNING), state=state))) == Rest()


def test_a_job_begins_in_the_commit_of_its_first_intent() -> None:
    act = acted(plan(view(job(row(0, pb.RUN_STATE_PLANNED), state=pb.JOB_STATE_QUEUED))))

    assert isinstance(act.call, CreateInstances)
    assert [draft.type for draft in act.drafts] == [
        pb.EVENT_TYPE_STATE_CHANGED,
        pb.EVENT_TYPE_OPERATION_CHANGED,
    ]


def test_a_job_that_begins_with_a_start_asks_for_a_commit_too() -> None:
    start = pb.StartWorkflowInstancesSpec(ids=[100])
    of = view(job(row(0, pb.RUN_STATE_CREATED, operation_index=-1), start=start, state=pb.JOB_STATE_QUEUED))
    act = acted(plan(of))

    assert act.call == StartInstances((100,))
    assert committed(of, act).state == pb.JOB_STATE_RUNNING


def test_a_job_that_is_late_is_cancelled_before_it_begins() -> None:
    of = view(job(row(0, pb.RUN_STATE_PLANNED), state=pb.JOB_STATE_QUEUED, deadline_time=timestamp(NOW_MS)))

    assert committed(of, plan(of)).state == pb.JOB_STATE_CANCELLING


def test_what_is_done_in_time_stays_done_when_the_look_comes_late() -> None:
    runs = row(0, pb.RUN_STATE_SUCCEEDED)
    of = view(job(runs, operations=[confirmed(0)], deadline_time=timestamp(NOW_MS - 1)))

    assert committed(of, plan(of)).state == pb.JOB_STATE_SUCCEEDED


def test_a_failed_call_has_its_wait_and_deciding_does_not_wait() -> None:
    hints = Hints(failures=1, retry_at_ms=NOW_MS + 30_000)
    running = job(row(0, pb.RUN_STATE_RUNNING))
    assert plan(view(running, hints)) == Wait(NOW_MS + 30_000)

    over = job(row(0, pb.RUN_STATE_SUCCEEDED), operations=[confirmed(0)])
    assert isinstance(plan(view(over, hints)), Act)


def test_a_long_wait_is_cut_by_the_deadline() -> None:
    hints = Hints(retry_at_ms=NOW_MS + 10**8)
    of = job(row(0, pb.RUN_STATE_RUNNING), deadline_time=timestamp(NOW_MS + 5_000))

    assert plan(view(of, hints)) == Wait(NOW_MS + 5_000)
    of.ClearField("deadline_time")
    assert plan(view(of, hints)) == Wait(NOW_MS + 10**8)


def test_a_cancel_is_looked_at_when_its_watchdog_is_due() -> None:
    of = job(
        row(0, pb.RUN_STATE_RUNNING, stop_time=timestamp(NOW_MS)), update_time=timestamp(NOW_MS - 590_000), **cancel()
    )
    of.cancel.request_time.CopyFrom(timestamp(NOW_MS - 590_000))

    assert plan(view(of, Hints(poll_at_ms={0: NOW_MS + 15_000}))) == Wait(NOW_MS + 10_000)


def test_a_person_is_waited_for_without_a_call() -> None:
    of = job(row(0, pb.RUN_STATE_RUNNING), state=pb.JOB_STATE_NEEDS_ATTENTION)

    assert plan(view(of)) == Wait(NOW_MS + IDLE_MS)


@pytest.mark.parametrize("state", [pb.JOB_STATE_PAUSED, pb.JOB_STATE_RUNNING, pb.JOB_STATE_CANCELLING])
def test_what_runs_is_followed_in_every_state(state: pb.JobState.ValueType) -> None:
    fields = cancel(pb.CANCEL_MODE_DRAIN) if state == pb.JOB_STATE_CANCELLING else {"state": state}
    runs = row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_PLANNED)
    of = view(job(*runs, operations=[confirmed(0)], backfill=spec(2, max_created_ahead=1), **fields))
    step = plan(of)
    if state == pb.JOB_STATE_CANCELLING:
        step = plan(view(committed(of, acted(step))))  # what was only planned is dropped first

    assert acted(step).call == GetInstance(100)


def test_a_paused_job_starts_and_creates_nothing() -> None:
    runs = row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_PLANNED)
    of = job(*runs, operations=[confirmed(0)], state=pb.JOB_STATE_PAUSED)

    assert plan(view(of)) == Wait(NOW_MS + IDLE_MS)


def _drive(of: View, body: object) -> View:
    """The view after the planned step was taken and its call answered so; without a call, after its commit."""
    act = acted(plan(of))
    after = View(committed(of, act), of.hints, of.now_ms) if act.drafts else of
    if act.call is None:
        return after
    change = absorbed(after, act.call, body, act.subject)
    return View(taken(after, change), change.hints, of.now_ms)


def test_the_request_sequence_of_seed_000() -> None:
    from headgate_worker.core.model.calls import OperationResult, OperationStatus, PerInstance

    runs = row(0, pb.RUN_STATE_PLANNED), row(1, pb.RUN_STATE_PLANNED)
    of = view(job(*runs, state=pb.JOB_STATE_QUEUED))
    answers: list[tuple[object, object]] = [
        (CreateInstances, "op-1"),
        (GetCreateResult("op-1"), OperationResult(OperationStatus.DONE, (100, 101))),
        (GetInstance(100), seen(100, NOT_RUN)),
        (GetInstance(101), seen(101, NOT_RUN)),
        (StartInstances((100, 101)), {100: PerInstance(success=True), 101: blocked_on(100)}),
    ]
    for call, answer in answers:
        asked = acted(plan(of)).call
        assert asked == call or (isinstance(call, type) and isinstance(asked, call))
        of = _drive(of, answer)

    assert plan(of) == Wait(NOW_MS + 1_000)
    of = View(of.job, of.hints, NOW_MS + 1_000)
    assert acted(plan(of)).call == GetInstance(100)
    of = _drive(of, seen(100, RUNNING))
    of = View(of.job, of.hints, NOW_MS + 20_000)
    of = _drive(of, seen(100, SUCCESS))
    assert acted(plan(of)).call == GetInstance(101)
    of = _drive(of, seen(101, SUCCESS))
    assert committed(of, acted(plan(of))).state == pb.JOB_STATE_SUCCEEDED


def test_a_cancel_stops_before_it_reads() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING), **cancel()))

    assert acted(plan(of)).call == StopInstances((100,), comment="enough")


def test_a_wait_is_never_over_when_it_begins() -> None:
    stale = Hints(operation_poll_at_ms=5, poll_at_ms={0: 5}, stop_asked_ms={0: 5})
    cancelled = {**cancel(), "state": pb.JOB_STATE_NEEDS_ATTENTION}
    for of in (
        job(row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=101), row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100)),
        job(row(0, pb.RUN_STATE_SUCCEEDED), deadline_time=timestamp(5), **cancelled),
        job(
            row(0, pb.RUN_STATE_CREATING),
            operations=[operation(pb.OPERATION_OUTCOME_NOT_SENT, 0)],
            state=pb.JOB_STATE_PAUSED,
        ),
    ):
        step = plan(view(of, stale))
        assert isinstance(step, Wait)
        assert NOW_MS < step.until_ms <= NOW_MS + IDLE_MS
