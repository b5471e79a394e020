"""Ids mapped to dates by reading them."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import FailureKind, GetInstance
from headgate_worker.core.model.steps import Wait
from headgate_worker.core.model.view import Hints
from headgate_worker.core.planner import plan
from headgate_worker.core.rules.instance_mapping import missing, place
from tests.worker.core.building import (
    NOT_RUN,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    acted,
    committed,
    confirmed,
    failure,
    job,
    operation,
    reason,
    row,
    seen,
    spec,
    states,
    taken,
    view,
)


def _made(*ids: int, **fields: object) -> pb.Job:
    runs = row(0, pb.RUN_STATE_CREATING), row(1, pb.RUN_STATE_CREATING)
    one = operation(pb.OPERATION_OUTCOME_CONFIRMED, 0, 1, workflow_instance_ids=ids or (101, 100))
    return job(*runs, operations=[one], **fields)


def test_ids_are_put_where_their_dates_say_whatever_their_order() -> None:
    of = view(_made())
    first = acted(place(of))
    assert first.call == GetInstance(101)

    after = taken(of, absorbed(of, GetInstance(101), seen(101, NOT_RUN), first.subject))
    assert states(after) == ["CREATING", "CREATED"]
    assert acted(place(view(after))).call == GetInstance(100)


def test_nothing_is_placed_twice() -> None:
    of = view(job(row(0, pb.RUN_STATE_CREATED), operations=[confirmed(0)]))

    assert place(of) is None
    assert missing(of) is None


def test_an_instance_nobody_planned_gets_a_row_of_its_own() -> None:
    of = view(_made(100, 101, 105))
    after = taken(of, absorbed(of, GetInstance(105), seen(105, RUNNING), 0))

    assert states(after) == ["CREATING", "CREATING", "RUNNING"]
    assert after.runs[2].index == 2


def test_a_create_without_dates_makes_rows_as_it_finds_them() -> None:
    one = operation(pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=[100])
    of = view(job(create=pb.CreateWorkflowInstancesSpec(), operations=[one]))

    assert states(taken(of, absorbed(of, GetInstance(100), seen(100, NOT_RUN), 0))) == ["CREATED"]


def test_what_upstream_started_before_it_was_read_is_its_own() -> None:
    of = view(_made(backfill=spec(2, start_mode=pb.START_MODE_UPSTREAM)))
    after = taken(of, absorbed(of, GetInstance(100), seen(100, RUNNING), 0))

    assert (after.runs[0].state, after.runs[0].started_by) == (pb.RUN_STATE_RUNNING, pb.STARTED_BY_UPSTREAM)


def test_an_ad_hoc_instance_has_started() -> None:
    run = row(0, pb.RUN_STATE_CREATING)
    run.ClearField("biz_date")
    one = operation(pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=[100])
    of = view(job(run, adhoc=pb.ExecuteAdhocWorkflowInstanceSpec(), operations=[one]))
    after = taken(of, absorbed(of, GetInstance(100), seen(100, NOT_RUN), 0))

    assert (after.runs[0].state, after.runs[0].started_by) == (pb.RUN_STATE_STARTING, pb.STARTED_BY_HEADGATE)
    assert after.runs[0].HasField("biz_date")


@pytest.mark.parametrize("echoed", ["another date", "no date"])
def test_the_instance_of_an_ad_hoc_call_is_its_run_whatever_date_upstream_shows(echoed: str) -> None:
    """The reply to the call has named the instance."""
    run = row(0, pb.RUN_STATE_CREATING)
    one = operation(pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=[103])
    of = view(job(run, adhoc=pb.ExecuteAdhocWorkflowInstanceSpec(biz_date=run.biz_date), operations=[one]))
    shown = seen(103, SUCCESS)
    if echoed == "no date":
        shown.ClearField("biz_date")
    after = taken(of, absorbed(of, GetInstance(103), shown, 0))

    assert states(after) == ["SUCCEEDED"]
    assert after.runs[0].biz_date == (run.biz_date if echoed == "no date" else shown.biz_date)
    assert missing(view(after)) is None


def test_a_fresh_instance_may_be_shown_late() -> None:
    gone = failure(FailureKind.NOT_FOUND)
    early = absorbed(view(_made(), now_ms=NOW_MS + 179_999), GetInstance(100), gone, 0)
    assert early.drafts == ()
    assert early.hints.place_at_ms > NOW_MS + 179_999
    assert early.hints.retry_at_ms == 0

    late = view(_made(), now_ms=NOW_MS + 180_000)
    after = taken(late, absorbed(late, GetInstance(100), gone, 0))
    assert states(after) == ["UNRESOLVED", "CREATING"]
    assert reason(after.runs[0].error) == "INSTANCE_UNKNOWN"
    assert len(after.runs) == 2


def test_an_instance_that_is_shown_late_keeps_nothing_else_waiting() -> None:
    """Found by the simulator: the dates before it were not looked after for as long as the listing lagged."""
    of = view(_made(), Hints(place_at_ms=NOW_MS + 1))
    assert place(of) is None

    running = row(0, pb.RUN_STATE_RUNNING)
    both = job(running, row(1, pb.RUN_STATE_CREATING), operations=[confirmed(0, 1)])
    assert acted(plan(view(both, of.hints))).call == GetInstance(100)
    waiting = view(both, Hints(place_at_ms=NOW_MS + 1, poll_at_ms={0: NOW_MS + 9_000}))
    assert plan(waiting) == Wait(NOW_MS + 1)


def test_an_instance_without_a_date_is_never_put_on_a_guess() -> None:
    dateless = seen(100, NOT_RUN)
    dateless.ClearField("biz_date")

    assert absorbed(view(_made()), GetInstance(100), dateless, 0).drafts == ()


def test_other_failures_say_nothing_about_the_instance() -> None:
    late = view(_made(), now_ms=NOW_MS + 10**7)

    assert absorbed(late, GetInstance(100), failure(FailureKind.DENIED), 0).drafts == ()


def test_a_date_without_an_instance_has_failed_once_all_are_placed() -> None:
    runs = row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_CREATING)
    of = view(job(*runs, operations=[confirmed(0)]))
    after = committed(of, missing(of))

    assert states(after) == ["CREATED", "FAILED"]
    assert reason(after.runs[1].error) == "CREATE_FAILED"
    assert missing(view(_made())) is None
