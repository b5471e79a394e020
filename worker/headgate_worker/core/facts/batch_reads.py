"""One read for many: instances of one date that run are listed together, and what has changed is read by itself. Pure.

A list is believed in one thing only, that an instance still runs. Whatever else it shows, or leaves out, is read with
GetWorkflowInstance, so that a list that lags behind delays an end and never invents one. Upstream lists by project and
business date (SDK 9.11), so this is for jobs that were given several instances of a date; a backfill has one per date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.model.calls import Failure, FailureKind, InstancePage, ListInstances, OutcomeOf
from headgate_worker.core.model.steps import Act, Change
from headgate_worker.core.model.view import Hints, View

FEWEST: Final = 3
"""Instances from which on a list is cheaper: each end that it shows costs a read of its own."""

MOST: Final = 100
"""Instances of one list: a page of it."""

SOON_MS: Final = 2_000
"""What is to be read so soon after the others comes with them."""

ALONE: Final = -1
"""In `Hints.projects`: the instance is read by itself, since a list did not show that it runs."""

_WAITS: Final = frozenset({FailureKind.THROTTLED, FailureKind.FROZEN, FailureKind.TRANSIENT})

Again = Callable[[View, pb.InstanceRun, int], Hints]
"""The hints with the next look at a run that was known to run at a time."""


def noted(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance, hints: Hints) -> Hints:
    """The hints with the project of an instance that runs, which a list of it will need."""
    if view.kind != "start" or run.state != pb.RUN_STATE_RUNNING or not seen.project_id:
        return hints
    return hints if run.index in hints.projects else hints.project(run.index, seen.project_id)


def batch(view: View, act: Act) -> Act | None:
    """The list that answers for the read that is due and for others like it; None when it would be no cheaper."""
    run = view.runs[act.subject] if act.subject >= 0 else None
    if run is None or not _is_listed(view, run):
        return None
    project, day = view.hints.projects[run.index], dates.from_message(run.biz_date)
    ids = [other.workflow_instance_id for other in view.runs if _goes_along(view, other, run)][:MOST]
    if len(ids) < FEWEST:
        return None
    call = ListInstances(project, dates.midnight_millis(day), ids=tuple(ids), page_size=MOST)
    return Act(call=call)


def _is_listed(view: View, run: pb.InstanceRun) -> bool:
    known = view.hints.projects.get(run.index, ALONE)
    return run.state == pb.RUN_STATE_RUNNING and known != ALONE and run.HasField("biz_date")


def _goes_along(view: View, other: pb.InstanceRun, run: pb.InstanceRun) -> bool:
    if not _is_listed(view, other) or other.biz_date != run.biz_date:
        return False
    same = view.hints.projects[other.index] == view.hints.projects[run.index]
    return same and view.hints.poll_at_ms.get(other.index, 0) <= view.now_ms + SOON_MS


def absorb_batch(view: View, call: ListInstances, outcome: OutcomeOf[InstancePage], again: Again) -> Change:
    """Look again later at what still runs, and at once at everything else."""
    if isinstance(outcome, Failure) and outcome.kind in _WAITS:
        return Change((), poll_schedule.after_failure(view, outcome))
    running = set() if isinstance(outcome, Failure) else _running(outcome.body)
    known_ms = view.now_ms if isinstance(outcome, Failure) else outcome.at_ms or view.now_ms
    hints, asked = view.hints.settled(), set(call.ids)
    for run in view.runs:
        if run.workflow_instance_id not in asked or run.state != pb.RUN_STATE_RUNNING:
            continue
        if run.workflow_instance_id in running:
            hints = again(replace(view, hints=hints), run, known_ms)
        else:
            hints = hints.project(run.index, ALONE).poll(run.index, view.now_ms)
    return Change((), hints)


def _running(page: InstancePage) -> set[int]:
    return {seen.id for seen in page.instances if seen.status == pb.WORKFLOW_INSTANCE_STATUS_RUNNING}
