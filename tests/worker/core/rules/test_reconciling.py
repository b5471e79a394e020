"""Lost replies: search, adopt, or ask; send again only by policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.calls import FailureKind, GetInstance, InstancePage, ListInstances
from headgate_worker.core.model.steps import Act, Change, timestamp
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.planner import plan
from headgate_worker.core.rules.reconciling import SEARCH_AGAIN_MS, reconcile, search_days
from tests.worker.core.building import (
    FAILURE,
    NOT_RUN,
    NOW_MS,
    RUNNING,
    absorbed,
    acted,
    cancel,
    day,
    failure,
    job,
    operation,
    reason,
    row,
    seen,
    taken,
    view,
)

_LOST = pb.OPERATION_OUTCOME_AMBIGUOUS


def _lost(outcome: pb.OperationOutcome.ValueType = _LOST, **fields: Any) -> pb.Job:
    runs = row(0, pb.RUN_STATE_CREATING), row(1, pb.RUN_STATE_CREATING)
    return job(*runs, operations=[operation(outcome, 0, 1)], **fields)


def _search(of: View, *found: pb.WorkflowInstance, total: int | None = None) -> Change:
    act = acted(reconcile(of))
    assert isinstance(act.call, ListInstances)
    mine = tuple(
        one for one in found if one.biz_date == dates.to_message(dates.business_date(act.call.biz_date_millis))
    )
    return absorbed(of, act.call, InstancePage(mine, len(mine) if total is None else total), act.subject)


def _search_all(of: View, *found: pb.WorkflowInstance) -> tuple[View, Change]:
    """Search all dates; the view before the last answer, and what that changes."""
    for _ in search_days(of, of.job.operations[0])[:-1]:
        change = _search(of, *found)
        assert change.drafts == ()
        of = replace(of, hints=change.hints)
    return of, _search(of, *found)


@pytest.mark.parametrize("outcome", [pb.OPERATION_OUTCOME_INTENDED, _LOST])
def test_a_search_looks_for_the_exact_marker_date_by_date(outcome: pb.OperationOutcome.ValueType) -> None:
    act = acted(reconcile(view(_lost(outcome))))

    assert isinstance(act.call, ListInstances)
    assert act.call.name == "nightly"
    assert act.call.type == pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA
    assert act.call.biz_date_millis == dates.midnight_millis(day(0))


def test_one_instance_per_date_is_adopted() -> None:
    of, change = _search_all(view(_lost()), seen(100, NOT_RUN), seen(101, NOT_RUN))

    after = taken(of, change)
    assert after.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert list(after.operations[0].workflow_instance_ids) == [100, 101]
    assert change.drafts[0].type == pb.EVENT_TYPE_RECONCILED
    assert change.hints.found == {}


def test_a_search_that_finds_too_little_comes_again() -> None:
    _, change = _search_all(view(_lost()), seen(100, NOT_RUN))

    assert change.drafts == ()
    assert change.hints.found == {}
    assert change.hints.operation_poll_at_ms == NOW_MS + SEARCH_AGAIN_MS


@pytest.mark.parametrize("found", [(), (seen(100, NOT_RUN),)])
def test_when_the_listing_must_have_settled_a_person_is_asked(found: tuple[pb.WorkflowInstance, ...]) -> None:
    of, change = _search_all(view(_lost(), now_ms=NOW_MS + 180_000), *found)

    after = taken(of, change)
    assert after.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert reason(after.error) == "UPSTREAM_AMBIGUOUS"
    assert after.operations[0].outcome == _LOST
    assert change.hints.found == {}  # a later search, after a cancel, begins afresh


def test_nothing_is_asked_of_upstream_while_a_person_is_waited_for() -> None:
    of = view(_lost(state=pb.JOB_STATE_NEEDS_ATTENTION))

    assert not isinstance(plan(of), Act)


def test_a_cancel_searches_once_more_before_it_asks_again() -> None:
    assert isinstance(acted(plan(view(_lost(**cancel())))).call, ListInstances)


def _early(instance_id: int, by_ms: int) -> pb.WorkflowInstance:
    one = seen(instance_id, NOT_RUN)
    one.create_time.CopyFrom(timestamp(NOW_MS - by_ms))
    return one


@pytest.mark.parametrize(("by_ms", "adopted"), [(0, True), (5_000, True), (-60_000, True)])
def test_an_instance_of_the_marker_made_since_the_intent_is_ours(by_ms: int, adopted: bool) -> None:
    of, change = _search_all(view(_lost()), _early(100, by_ms), _early(101, by_ms))

    assert (taken(of, change).operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED) is adopted


def test_an_instance_of_long_before_is_not_ours_and_does_not_disturb() -> None:
    old = _early(200, 300_001), _early(201, 300_001)
    for number, one in enumerate(old):
        one.biz_date.CopyFrom(dates.to_message(day(number)))
    of, change = _search_all(view(_lost()), *old, seen(100, NOT_RUN), seen(101, NOT_RUN))
    assert list(taken(of, change).operations[0].workflow_instance_ids) == [100, 101]

    only_old = _search_all(view(_lost(), now_ms=NOW_MS + 180_000), *old)
    assert taken(*only_old).state == pb.JOB_STATE_NEEDS_ATTENTION


@pytest.mark.parametrize("by_ms", [5_001, 300_000])
def test_an_instance_of_just_before_is_a_doubt_that_a_person_settles(by_ms: int) -> None:
    found = _early(100, by_ms), seen(101, NOT_RUN)
    _, early = _search_all(view(_lost()), *found)
    of, late = _search_all(view(_lost(), now_ms=NOW_MS + 180_000), *found)

    assert early.drafts == ()
    assert taken(of, late).state == pb.JOB_STATE_NEEDS_ATTENTION


def test_a_longer_name_or_an_instance_of_another_operation_is_not_ours() -> None:
    longer, known = seen(100, NOT_RUN), seen(100, NOT_RUN)
    longer.name = "nightly-2"
    before = _lost()
    before.operations.add(index=1, outcome=pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=[100])

    assert _search(view(_lost()), longer).hints.found == {dates.midnight_millis(day(0)): ()}
    assert _search(view(before), known).hints.found == {dates.midnight_millis(day(0)): ()}


def test_a_list_that_was_cut_decides_nothing() -> None:
    of = view(_lost(), now_ms=NOW_MS + 180_000)
    first = _search(of, seen(100, NOT_RUN), total=150)
    second = View(of.job, first.hints, of.now_ms)

    assert taken(second, _search(second, seen(101, NOT_RUN))).state == pb.JOB_STATE_NEEDS_ATTENTION


def test_a_failed_search_and_a_late_answer_change_nothing() -> None:
    of = view(_lost())
    call = acted(reconcile(of)).call
    assert isinstance(call, ListInstances)
    assert absorbed(of, call, failure(FailureKind.TRANSIENT), 0).drafts == ()

    resolved = view(_lost(pb.OPERATION_OUTCOME_CONFIRMED))
    assert absorbed(resolved, call, InstancePage((seen(100, NOT_RUN),), 1), 0).drafts == ()
    assert reconcile(resolved) is None


def _adhoc(**fields: Any) -> pb.Job:
    spec = pb.ExecuteAdhocWorkflowInstanceSpec(project_id=1, name="nightly", **fields)
    lost = operation(_LOST, action="ExecuteAdhocWorkflowInstance")
    return job(row(0, pb.RUN_STATE_CREATING), adhoc=spec, operations=[lost])


def test_an_ad_hoc_run_is_searched_for_on_its_date_or_the_likely_ones() -> None:
    """Upstream may answer with another date than the one that was sent; there are five reads of it at most."""
    dated = _adhoc(biz_date=dates.to_message(day(0)))
    around = [day(0), day(-1), day(1), day(2), day(3)]
    assert search_days(view(dated), dated.operations[0]) == tuple(map(dates.midnight_millis, around))
    near = _adhoc(biz_date=dates.to_message(day(2)))
    assert search_days(view(near), near.operations[0]) == tuple(map(dates.midnight_millis, [day(2), day(1), day(3)]))

    undated = _adhoc()
    assert search_days(view(undated), undated.operations[0]) == tuple(map(dates.midnight_millis, [day(2), day(3)]))


def test_one_instance_on_either_day_is_the_ad_hoc_run() -> None:
    of, change = _search_all(view(_adhoc()), seen(102, RUNNING))

    assert list(taken(of, change).operations[0].workflow_instance_ids) == [102]


@pytest.mark.parametrize("number", [-1, 0, 1, 2, 3])
def test_an_ad_hoc_run_is_found_on_another_date_than_the_one_that_was_sent(number: int) -> None:
    of, change = _search_all(view(_adhoc(biz_date=dates.to_message(day(0)))), seen(100 + number, RUNNING))

    assert list(taken(of, change).operations[0].workflow_instance_ids) == [100 + number]


def test_two_instances_on_two_dates_are_nobodys_ad_hoc_run() -> None:
    of = view(_adhoc(biz_date=dates.to_message(day(0))), now_ms=NOW_MS + 180_000)
    late, change = _search_all(of, seen(100, RUNNING), seen(101, RUNNING))

    assert taken(late, change).state == pb.JOB_STATE_NEEDS_ATTENTION


def test_a_create_without_dates_is_adopted_when_the_listing_has_settled() -> None:
    create = pb.CreateWorkflowInstancesSpec(project_id=1, name="nightly")
    of = job(create=create, operations=[operation(_LOST)])
    assert _search_all(view(of), seen(102, NOT_RUN))[1].drafts == ()

    late, change = _search_all(view(of, now_ms=NOW_MS + 180_000), seen(102, NOT_RUN))
    assert taken(late, change).operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED


def _rerun(*runs: pb.InstanceRun) -> pb.Job:
    return job(*runs, rerun=pb.RerunWorkflowInstancesSpec(ids=[100]), operations=[operation(_LOST)])


_NAMED = row(0, pb.RUN_STATE_CREATED, operation_index=-1)


def test_a_rerun_is_known_by_a_run_since_its_intent() -> None:
    of = view(_rerun(_NAMED))
    assert acted(reconcile(of)).call == GetInstance(100)

    ran = taken(of, absorbed(of, GetInstance(100), seen(100, RUNNING), 0))
    assert ran.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert ran.runs[0].state == pb.RUN_STATE_STARTING


def test_a_rerun_that_is_not_seen_is_looked_for_until_a_person_is_asked() -> None:
    old = seen(100, FAILURE, started_time=timestamp(NOW_MS - 3_600_000))
    of = view(_rerun(_NAMED))
    again = absorbed(of, GetInstance(100), old, 0)
    assert again.drafts == ()
    assert again.hints.operation_poll_at_ms == NOW_MS + SEARCH_AGAIN_MS

    late = view(of.job, now_ms=NOW_MS + 180_000)
    assert taken(late, absorbed(late, GetInstance(100), old, 0)).state == pb.JOB_STATE_NEEDS_ATTENTION
    assert absorbed(of, GetInstance(100), failure(FailureKind.TRANSIENT), 0).drafts == ()


def test_a_rerun_by_filter_can_only_be_asked_about() -> None:
    of = view(_rerun())

    assert acted(reconcile(of)).drafts[0].state == pb.JOB_STATE_NEEDS_ATTENTION


def test_a_search_waits_for_its_time() -> None:
    assert reconcile(view(_lost(), Hints(operation_poll_at_ms=NOW_MS + 1))) is None


def _settled(**fields: Any) -> View:
    return view(_lost(**fields), now_ms=NOW_MS + 200_000, resend_absent=True)


@pytest.mark.parametrize("state", [pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED])
def test_by_policy_a_create_that_shows_nowhere_counts_as_not_sent(state: pb.JobState.ValueType) -> None:
    of = _settled(state=state)

    found, change = _search_all_again(of)

    after = taken(found, change)
    assert after.state == state
    assert after.operations[0].outcome == pb.OPERATION_OUTCOME_NOT_SENT
    assert change.drafts[0].type == pb.EVENT_TYPE_RECONCILED


def test_before_the_search_has_settled_nothing_is_decided() -> None:
    of = view(_lost(), now_ms=NOW_MS + 100_000, resend_absent=True)

    _, change = _search_all_again(of)

    assert change.drafts == ()


@pytest.mark.parametrize("found", [seen(100, NOT_RUN), seen(100, NOT_RUN, create_time=timestamp(NOW_MS - 60_000))])
def test_one_date_that_was_found_or_is_in_doubt_asks_a_person(found: pb.WorkflowInstance) -> None:
    of, change = _search_all_again(_settled(), found)

    assert taken(of, change).state == pb.JOB_STATE_NEEDS_ATTENTION


def test_a_cancel_and_a_third_loss_ask_a_person() -> None:
    third = _lost()
    third.operations[0].attempts = 3

    for of in (_settled(**cancel()), view(third, now_ms=NOW_MS + 200_000, resend_absent=True)):
        again, change = _search_all_again(of)
        assert taken(again, change).state == pb.JOB_STATE_NEEDS_ATTENTION


def test_an_adhoc_execution_is_never_sent_again() -> None:
    adhoc = pb.ExecuteAdhocWorkflowInstanceSpec(project_id=1, name="nightly", biz_date=dates.to_message(day(0)))
    lost = job(row(0, pb.RUN_STATE_CREATING), operations=[operation(_LOST)], adhoc=adhoc)
    of, change = _search_all(view(lost, now_ms=NOW_MS + 200_000, resend_absent=True))

    assert taken(of, change).state == pb.JOB_STATE_NEEDS_ATTENTION


def _search_all_again(of: View, *found: pb.WorkflowInstance) -> tuple[View, Change]:
    """Search both dates under the view's own policy."""
    first = _search(of, *found)
    second = replace(of, hints=first.hints)
    return second, _search(second, *found)
