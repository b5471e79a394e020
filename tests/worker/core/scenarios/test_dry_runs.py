"""The look for tasks of a successful run that upstream ended by dry run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from headgate import pb
from headgate_worker.core.model.calls import GetInstance, ListTasks, TaskFilter, TaskPage
from headgate_worker.core.model.view import Policy, View
from headgate_worker.core.planner import plan
from headgate_worker.core.rules import diagnosis
from tests.worker.core.building import SUCCESS, absorbed, acted, confirmed, job, row, seen, states, taken, view
from tests.worker.core.rules.test_diagnosis import BOTH, FEBRUARY_5, LIST, goes_on, task


def succeeded(*tasks: pb.TaskInstance, **policy: Any) -> View:
    before = view(job(row(0, pb.RUN_STATE_RUNNING), operations=[confirmed(0)]), **{**BOTH, **policy})
    ended = seen(100, SUCCESS, project_id=9, biz_date_millis=FEBRUARY_5)
    change = absorbed(before, GetInstance(100), ended, 0)
    of = replace(before, job=taken(before, change), hints=change.hints)
    return goes_on(of, acted(plan(of)), TaskPage(tasks, len(tasks))) if tasks else of


def test_a_success_by_dry_run_is_a_warning() -> None:
    asks = acted(plan(succeeded()))
    assert asks.call == ListTasks(
        9, FEBRUARY_5, 100, page_size=diagnosis.ROWS, filter=TaskFilter(status="Success", trigger_recurrence="Skip")
    )
    dry = task(7, "load", "Success", trigger_recurrence="Skip")
    change = absorbed(succeeded(), LIST, TaskPage((dry, task(8, "sum", "Success")), 2), 0)

    assert [draft.type for draft in change.drafts] == [pb.EVENT_TYPE_WARNING]
    assert "2025-02-05 succeeded, but" in change.drafts[0].message and "load" in change.drafts[0].message
    of = succeeded(dry)
    assert list(of.job.runs[0].dry_run_tasks) == ["load"]
    assert states(of.job) == ["SUCCEEDED"]
    assert acted(plan(of)).drafts[0].state == pb.JOB_STATE_SUCCEEDED


def test_a_warning_names_five_tasks_at_most() -> None:
    dry = [task(n, f"t{n}" * 200, "Success", trigger_recurrence="Skip") for n in range(1, 30)]
    of = succeeded(*dry)

    assert [len(name) for name in of.job.runs[0].dry_run_tasks] == [64] * 5


def test_a_success_that_did_its_work_is_no_news() -> None:
    of = succeeded(task(8, "sum", "Success"))

    assert of.job.runs[0].dry_run_tasks == []
    assert acted(plan(of)).drafts[0].state == pb.JOB_STATE_SUCCEEDED


def test_successes_are_not_looked_at_unless_asked_for() -> None:
    assert Policy().dry_run_ms == 0
    assert succeeded(dry_run_ms=0).hints.inquiries == {}
