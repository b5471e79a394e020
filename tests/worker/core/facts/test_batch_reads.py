"""Reading many instances with one call: when it is cheaper, and that a list is believed only where it shows a run."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.facts.batch_reads import ALONE, FEWEST
from headgate_worker.core.model.calls import Failure, FailureKind, GetInstance, InstancePage, ListInstances
from headgate_worker.core.model.steps import Act
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.planner import absorb, plan
from tests.worker.core.building import NOW_MS, RUNNING, SUCCESS, day, job, reply, row, seen, view

PROJECT = 257880


def started(count: int, *, due_ms: int = NOW_MS, of_one_date: bool = True) -> View:
    """A start job whose instances run, all known and all due."""
    rows = [row(n, pb.RUN_STATE_RUNNING, biz_date=dates.to_message(day(0 if of_one_date else n))) for n in range(count)]
    spec = pb.StartWorkflowInstancesSpec(ids=[one.workflow_instance_id for one in rows])
    hints = Hints(poll_at_ms=dict.fromkeys(range(count), due_ms), projects=dict.fromkeys(range(count), PROJECT))
    return view(job(*rows, start=spec), hints)


def listed(of: View) -> Act:
    act = plan(of)
    assert isinstance(act, Act)
    assert isinstance(act.call, ListInstances)
    return act


def test_instances_of_one_date_are_read_with_one_call() -> None:
    act = listed(started(5))

    assert act.call == ListInstances(
        PROJECT, dates.midnight_millis(day(0)), ids=(100, 101, 102, 103, 104), page_number=1, page_size=100
    )
    assert not act.drafts


@pytest.mark.parametrize(
    "of", [started(FEWEST - 1), started(5, of_one_date=False)], ids=["too few", "a date each, as in a backfill"]
)
def test_where_a_list_is_no_cheaper_each_is_read_by_itself(of: View) -> None:
    act = plan(of)

    assert isinstance(act, Act)
    assert isinstance(act.call, GetInstance)


def test_what_is_due_much_later_does_not_come_along() -> None:
    of = started(5)
    later = Hints(poll_at_ms={**of.hints.poll_at_ms, 4: NOW_MS + 60_000}, projects=of.hints.projects)

    assert listed(view(of.job, later)).call.ids == (100, 101, 102, 103)  # type: ignore[union-attr]


def test_what_a_list_does_not_show_running_is_read_by_itself_at_once() -> None:
    of = started(5)
    page = InstancePage((seen(100, RUNNING), seen(101, SUCCESS), seen(103, RUNNING), seen(104, RUNNING)), 4)

    change = absorb(of, listed(of), reply(page))

    assert change.drafts == ()  # an end is believed only when the instance itself shows it
    assert {n for n, at_ms in change.hints.poll_at_ms.items() if at_ms > NOW_MS} == {0, 3, 4}
    assert {n for n, project in change.hints.projects.items() if project == ALONE} == {1, 2}
    following = plan(view(of.job, change.hints))
    assert isinstance(following, Act)
    assert following.call == GetInstance(101)


def test_a_list_that_is_refused_is_not_asked_for_again() -> None:
    of = started(5)

    change = absorb(of, listed(of), Failure(FailureKind.REFUSED, "InvalidParameter", "no"))

    assert set(change.hints.projects.values()) == {ALONE}
    assert isinstance(plan(view(of.job, change.hints)), Act)
    throttled = absorb(of, listed(of), Failure(FailureKind.THROTTLED, "Throttling.User", "slow down"))
    assert throttled.hints.retry_at_ms > NOW_MS
    assert throttled.hints.projects == of.hints.projects


def test_the_project_is_learnt_from_the_first_read_and_forgotten_with_the_run() -> None:
    of = started(3)
    fresh = view(of.job, Hints(poll_at_ms=of.hints.poll_at_ms))
    first = plan(fresh)
    assert isinstance(first, Act)

    learnt = absorb(fresh, first, reply(seen(100, RUNNING, project_id=PROJECT))).hints
    assert learnt.projects == {0: PROJECT}
    ended = seen(100, SUCCESS, project_id=PROJECT, biz_date=of.job.runs[0].biz_date)
    assert absorb(view(of.job, learnt), first, reply(ended)).hints.projects == {}
