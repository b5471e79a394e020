"""Failed dates that are tried again: when, in which order, and never beside an instance that is at work."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.model.calls import (
    CreateInstances,
    FailureKind,
    GetInstance,
    InstancePage,
    ListInstances,
    StartInstances,
    StopInstances,
)
from headgate_worker.core.model.steps import Act, Wait, timestamp
from headgate_worker.core.model.view import Hints, Inquiry, Policy, View
from headgate_worker.core.planner import plan
from headgate_worker.core.rules.retrying import due_ms, wait_ms
from tests.worker.core.building import (
    FAILURE,
    NOT_RUN,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    acted,
    cancel,
    committed,
    confirmed,
    day,
    failure,
    job,
    operation,
    row,
    seen,
    spec,
    states,
    taken,
    view,
)

FAILED_AT = timestamp(NOW_MS - 30_000)
CONTINUE, DRAIN, HALT = pb.ON_FAILURE_CONTINUE, pb.ON_FAILURE_DRAIN, pb.ON_FAILURE_HALT


def _failed(number: int = 0, **fields: Any) -> pb.InstanceRun:
    fields.setdefault("observe_time", FAILED_AT)
    return row(number, pb.RUN_STATE_FAILED, **fields)


def _job(*runs: pb.InstanceRun, on_failure: pb.OnFailure.ValueType = HALT, most: int = 3, **fields: Any) -> pb.Job:
    fields.setdefault("operations", [confirmed(*(run.index for run in runs if run.workflow_instance_id))])
    backfill = spec(len(runs), on_failure=on_failure, max_attempts_per_date=most)
    return job(*runs, backfill=backfill, **fields)


def _looked(of: View, status: pb.WorkflowInstanceStatus.ValueType = FAILURE) -> pb.Job:
    act = acted(plan(of))
    assert isinstance(act.call, GetInstance)
    return taken(of, absorbed(of, act.call, seen(act.call.id, status), act.subject))


def test_the_wait_doubles_up_to_its_longest() -> None:
    waits = [wait_ms(retries, Policy()) / 1000 for retries in range(9)]

    assert waits == [30, 60, 120, 240, 480, 600, 600, 600, 600]


def test_a_failed_date_waits_and_keeps_its_job_from_ending() -> None:
    of = view(_job(_failed(observe_time=timestamp(NOW_MS))))

    assert plan(of) == Wait(NOW_MS + 30_000)
    assert due_ms(of, of.runs[0]) == NOW_MS + 30_000


def test_then_its_instance_is_read_once_more_and_a_new_one_created() -> None:
    of = view(_job(_failed()))

    after = _looked(of)
    assert states(after) == ["PLANNED"]
    assert (after.runs[0].attempt, after.runs[0].retries, after.runs[0].workflow_instance_id) == (2, 1, 0)

    act = acted(plan(view(after)))
    assert isinstance(act.call, CreateInstances)
    assert act.drafts[0].operations[0].index == 1


@pytest.mark.parametrize(("status", "state"), [(RUNNING, "RUNNING"), (SUCCESS, "SUCCEEDED"), (NOT_RUN, "STARTING")])
def test_an_instance_that_somebody_has_rerun_is_followed_instead(
    status: pb.WorkflowInstanceStatus.ValueType, state: str
) -> None:
    after = _looked(view(_job(_failed())), status)

    assert states(after) == [state]
    assert after.runs[0].started_by == pb.STARTED_BY_OPERATOR
    assert after.runs[0].attempt == 1


def test_what_was_being_found_out_about_the_failure_is_not_put_on_the_next_attempt() -> None:
    of = view(_job(_failed()), Hints(inquiries={0: Inquiry(NOW_MS + 30_000, task_id="7")}))

    change = absorbed(of, GetInstance(100), seen(100, FAILURE), 0)
    assert states(taken(of, change)) == ["PLANNED"]
    assert not change.hints.inquiries


def test_an_instance_that_cannot_be_read_for_now_is_read_later_and_one_that_is_gone_is_replaced() -> None:
    of = view(_job(_failed()))
    act = acted(plan(of))
    assert act.call is not None

    later = absorbed(of, act.call, failure(FailureKind.TRANSIENT), act.subject)
    assert not later.drafts and later.hints.retry_at_ms > NOW_MS
    gone = absorbed(of, act.call, failure(FailureKind.NOT_FOUND), act.subject)
    assert states(taken(of, gone)) == ["PLANNED"]


def test_the_last_failure_is_judged_and_none_before() -> None:
    spent = _failed(attempt=3, retries=2)
    first = view(_job(_failed(), row(1, pb.RUN_STATE_PLANNED)))
    last = view(_job(spent, row(1, pb.RUN_STATE_PLANNED)))

    assert isinstance(acted(plan(first)).call, GetInstance)
    assert states(committed(last, plan(last))) == ["FAILED", "SKIPPED"]


def test_a_retry_by_hand_counts_from_one_again() -> None:
    """RetryJob has given the second date attempt 4; the first one failed for good in the go before."""
    of = view(_job(_failed(attempt=3, retries=2), _failed(1, attempt=4)))

    assert acted(plan(of)).call == GetInstance(101)


@pytest.mark.parametrize("fields", [cancel(), {"deadline_time": timestamp(NOW_MS - 1)}])
def test_a_cancel_and_a_deadline_win(fields: dict[str, Any]) -> None:
    act = acted(plan(view(_job(_failed(), **fields))))

    assert act.call is None
    assert act.drafts[0].state != pb.JOB_STATE_RUNNING


def test_a_pause_holds_the_tries_and_does_not_end_the_job() -> None:
    assert isinstance(plan(view(_job(_failed(), state=pb.JOB_STATE_PAUSED))), Wait)


def _behind(on_failure: pb.OnFailure.ValueType, **fields: Any) -> pb.Job:
    """The first date has failed; two wait behind it, one was made ahead, and one is only planned."""
    runs = (
        _failed(),
        row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100),
        row(2, pb.RUN_STATE_BLOCKED, blocked_by_id=101),
        row(3, pb.RUN_STATE_CREATED, operation_index=1),
        row(4, pb.RUN_STATE_PLANNED),
    )
    return _job(*runs, on_failure=on_failure, operations=[confirmed(0, 1, 2), confirmed(3, index=1)], **fields)


@pytest.mark.parametrize("on_failure", [HALT, CONTINUE, DRAIN])
def test_what_waits_behind_a_failed_date_is_called_back_before_upstream_lets_it_go(
    on_failure: pb.OnFailure.ValueType,
) -> None:
    assert acted(plan(view(_behind(on_failure)))).call == GetInstance(101)
    act = acted(plan(view(_behind(on_failure), Hints(idle_at_ms={1: NOW_MS}))))

    assert isinstance(act.call, StopInstances)
    assert act.call.ids == (102, 101)


@pytest.mark.parametrize("on_failure", [HALT, CONTINUE])
@pytest.mark.parametrize("status", [NOT_RUN, FAILURE])
def test_what_was_called_back_has_a_new_instance_later(
    on_failure: pb.OnFailure.ValueType, status: pb.WorkflowInstanceStatus.ValueType
) -> None:
    """Upstream leaves an instance that was stopped before it ran NotRun, or calls it Failure."""
    stands = _behind(on_failure)
    for run in stands.runs[1:3]:
        run.stop_time.CopyFrom(timestamp(NOW_MS))
    of = view(stands, Hints(poll_at_ms={1: 0, 2: 0}), now_ms=NOW_MS + 10_000)

    after = taken(of, absorbed(of, GetInstance(101), seen(101, status), 1))
    assert states(after)[1] == "PLANNED"
    assert (after.runs[1].attempt, after.runs[1].retries, after.runs[1].recalls) == (2, 0, 1)


def test_what_the_end_of_a_called_back_one_may_have_released_is_waited_for() -> None:
    """Found by seed 500446: it ran after all, failed, and its child began a moment after it was given up."""
    stands = _behind(HALT)
    for run in stands.runs[1:3]:
        run.stop_time.CopyFrom(timestamp(NOW_MS))
    of = view(stands, Hints(poll_at_ms={1: 0, 2: 0}), now_ms=NOW_MS + 60_000)
    ended = seen(101, FAILURE, finished_time=timestamp(NOW_MS + 59_000), observe_time=timestamp(NOW_MS + 60_000))

    after = taken(of, absorbed(of, GetInstance(101), ended, 1))
    assert states(after)[1] == "PLANNED"
    soon = view(after, Hints(poll_at_ms={2: 0}), now_ms=NOW_MS + 60_100)
    assert states(taken(soon, absorbed(soon, GetInstance(102), seen(102, NOT_RUN), 2)))[2] == "BLOCKED"
    settled = view(after, Hints(poll_at_ms={2: 0}), now_ms=NOW_MS + 65_100)
    assert states(taken(settled, absorbed(settled, GetInstance(102), seen(102, NOT_RUN), 2)))[2] == "PLANNED"


def test_one_that_was_released_first_runs_on() -> None:
    stands = _behind(HALT)
    stands.runs[1].stop_time.CopyFrom(timestamp(NOW_MS))
    of = view(stands)

    after = taken(of, absorbed(of, GetInstance(101), seen(101, RUNNING), 1))
    assert states(after)[1] == "RUNNING"
    blocked = view(after, Hints(poll_at_ms={1: NOW_MS + 5_000}, read_at_ms={1: NOW_MS}))
    assert not isinstance(plan(blocked), Act) or isinstance(acted(plan(blocked)).call, StopInstances)


def test_where_a_failure_halts_all_the_dates_are_created_again_in_their_order() -> None:
    """The one that was made ahead, of a later date, keeps its instance and its turn."""
    runs = (
        row(0, pb.RUN_STATE_PLANNED, attempt=2, retries=1),
        row(1, pb.RUN_STATE_PLANNED, attempt=2, recalls=1),
        row(2, pb.RUN_STATE_PLANNED, attempt=2, recalls=1),
        row(3, pb.RUN_STATE_CREATED, operation_index=1),
        row(4, pb.RUN_STATE_PLANNED),
    )
    of = view(_job(*runs, operations=[confirmed(0, 1, 2), confirmed(3, index=1)]))

    act = acted(plan(of))
    assert isinstance(act.call, CreateInstances)
    asked = act.call.spec.periods.biz_dates
    assert [(item.start_biz_date.day, item.end_biz_date.day) for item in asked] == [(day(0).day, day(2).day)]


def test_the_first_dates_are_started_before_what_was_made_ahead() -> None:
    again = [row(n, pb.RUN_STATE_CREATED, operation_index=2, attempt=2, workflow_instance_id=110 + n) for n in range(3)]
    made = confirmed(0, 1, 2, index=2)
    made.workflow_instance_ids[:] = [110, 111, 112]
    for run in again:
        run.retries = 1
    operations = [confirmed(0, 1, 2), confirmed(3, index=1), made]
    of = view(_job(*again, row(3, pb.RUN_STATE_CREATED, operation_index=1), operations=operations))

    act = acted(plan(of))
    assert isinstance(act.call, StartInstances)
    assert act.call.ids == (110, 111, 112)


def test_where_the_others_go_on_they_go_first() -> None:
    """A try would run beside them and exceed the parallelism."""
    running = view(
        _job(_failed(), row(1, pb.RUN_STATE_RUNNING), on_failure=CONTINUE), Hints(poll_at_ms={1: NOW_MS + 9})
    )
    planned = view(_job(_failed(), row(1, pb.RUN_STATE_PLANNED), on_failure=CONTINUE))

    assert isinstance(plan(running), Wait)
    act = acted(plan(planned))
    assert isinstance(act.call, CreateInstances)
    assert len(act.drafts[0].runs) == 1


def test_a_round_waits_for_the_date_that_failed_last() -> None:
    late = _failed(1, observe_time=timestamp(NOW_MS - 10_000))

    assert plan(view(_job(_failed(), late))) == Wait(NOW_MS + 20_000)


def test_a_lost_create_of_the_second_try_does_not_take_the_instances_of_the_first() -> None:
    """They have the same name and date, and were made just before."""
    lost = operation(pb.OPERATION_OUTCOME_AMBIGUOUS, 0, index=1)
    again = row(0, pb.RUN_STATE_CREATING, attempt=2, retries=1, operation_index=1)
    of = view(_job(again, operations=[confirmed(0), lost]), now_ms=NOW_MS + 1_000)
    act = acted(plan(of))
    assert isinstance(act.call, ListInstances)

    first = InstancePage((seen(100, FAILURE),), 1)
    assert states(taken(of, absorbed(of, act.call, first, act.subject))) == ["CREATING"]
    both = InstancePage((seen(100, FAILURE), seen(107, NOT_RUN, biz_date=seen(100, NOT_RUN).biz_date)), 2)
    after = taken(of, absorbed(of, act.call, both, act.subject))
    assert list(after.operations[1].workflow_instance_ids) == [107]
