"""Starting instances, and waiting for parents: start once, learn what blocks what, then adopt or start.

"Because of parallelism config, wait for parent workflowInstance[ID] to finish" is no error: the run is BLOCKED on that
id (seed 000). Upstream starts such a child itself when the parent ends (seen once, in a second public transcript), so a
child is read first and started only if it is still NotRun after a grace.
"""

from __future__ import annotations

import re
from typing import Final

from headgate import pb
from headgate.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core import errors, pacing
from headgate_worker.core.calls import Failure, FailureKind, GetInstance, Outcome, PerInstance, StartInstances
from headgate_worker.core.creating import unplaced
from headgate_worker.core.runs import by_instance
from headgate_worker.core.steps import Act, Change, Step, run_with, runs_changed, timestamp
from headgate_worker.core.view import Hints, View

_PARENT: Final = re.compile(r"workflowInstance\s*\[\s*(\d{1,19})\s*\]", re.IGNORECASE)
"""The parent's id in a refusal. Only the id is read: the sentence around it may change or be in another language."""


def parent_id(message: str) -> int:
    """The instance that a start's refusal says must end first; 0 when it says no such thing."""
    match = _PARENT.search(message)
    return int(match.group(1)) if match else 0


def starts_by_us(view: View) -> bool:
    """Whether this job starts its instances; others only watch or make them."""
    if view.kind == "start":
        return True
    return view.kind == "backfill" and view.job.backfill.start_mode != pb.START_MODE_UPSTREAM


def start(view: View) -> Step | None:
    """Start every created instance of the earliest call that is not over, all at once: upstream sets the order."""
    if not starts_by_us(view) or view.job.state != pb.JOB_STATE_RUNNING or unplaced(view.job):
        return None
    ready = [run for run in view.job.runs if run.state == pb.RUN_STATE_CREATED]
    current = min((run.operation_index for run in view.job.runs if _open(run)), default=-1)
    ids = [run.workflow_instance_id for run in ready if run.operation_index == current]
    if not ids:
        return None
    return Act(call=StartInstances(tuple(ids[: view.policy.batch]), comment=_comment(view)))


def _open(run: pb.InstanceRun) -> bool:
    return run.state not in RUN_TERMINAL and run.state != pb.RUN_STATE_PLANNED


def _comment(view: View) -> str:
    return view.job.start.comment if view.kind == "start" else ""


def absorb_start(view: View, call: StartInstances, outcome: Outcome) -> Change:
    """What upstream said of each instance that was to be started."""
    if isinstance(outcome, Failure):
        return _not_started(view, call, outcome)
    body = outcome.body
    assert isinstance(body, dict)  # noqa: S101
    runs, hints, rows = by_instance(view.job), view.hints.settled(), []
    for instance_id in call.ids:
        run = runs.get(instance_id)
        if run is not None and run.state not in RUN_TERMINAL:
            answer = body.get(instance_id, PerInstance(success=False, message=""))
            rows.append(_after_start(run, answer))
            hints = _look_soon(hints.started(run.index, view.now_ms), run.index, view)
    return Change((runs_changed(*rows, message=_summary(rows)),) if rows else (), hints)


def _look_soon(hints: Hints, index: int, view: View) -> Hints:
    return hints.poll(index, view.now_ms + view.policy.poll_min_ms)


def _after_start(run: pb.InstanceRun, answer: PerInstance) -> pb.InstanceRun:
    row = run_with(run, upstream_message=answer.message[:1024], parent_end_time=None, blocked_by_id=None)
    parent = 0 if answer.success else parent_id(answer.message)
    if parent and parent != run.workflow_instance_id:
        return run_with(row, state=pb.RUN_STATE_BLOCKED, blocked_by_id=parent)
    # A refusal for another reason decides nothing: the instance is read next, and its status decides.
    by = pb.STARTED_BY_HEADGATE if answer.success else None
    return run_with(row, state=pb.RUN_STATE_STARTING, started_by=by)


def _summary(rows: list[pb.InstanceRun]) -> str:
    blocked = sum(row.state == pb.RUN_STATE_BLOCKED for row in rows)
    return f"{len(rows) - blocked} started, {blocked} wait for a parent"


def _not_started(view: View, call: StartInstances, failure: Failure) -> Change:
    hints = pacing.after_failure(view, failure)
    if failure.kind not in (FailureKind.REFUSED, FailureKind.DENIED, FailureKind.NOT_FOUND):
        return Change((), hints)
    error = errors.of_failure(failure, "StartWorkflowInstances")
    rows = [
        run_with(run, state=pb.RUN_STATE_FAILED, error=error)
        for run in view.job.runs
        if run.workflow_instance_id in call.ids and run.state not in RUN_TERMINAL
    ]
    return Change((runs_changed(*rows, message=f"start refused: {failure.code}"),), hints)


def blocked(view: View) -> Step | None:
    """Look after runs that wait for a parent; while the parent runs they cost nothing."""
    runs = by_instance(view.job)
    for run in view.job.runs:
        if run.state == pb.RUN_STATE_BLOCKED:
            step = _blocked_run(view, run, runs.get(run.blocked_by_id))
            if step is not None:
                return step
    return None


def _blocked_run(view: View, run: pb.InstanceRun, parent: pb.InstanceRun | None) -> Step | None:
    if parent is not None and parent.state not in RUN_TERMINAL:
        return None
    if parent is None and not run.HasField("parent_end_time"):
        return _look(view, run, GetInstance(run.blocked_by_id))  # a parent outside this job has no row that tells
    if not run.HasField("parent_end_time"):
        return Act((runs_changed(run_with(run, parent_end_time=timestamp(view.now_ms))),), _get(run), run.index)
    waited = view.now_ms - run.parent_end_time.ToMilliseconds()
    if waited < grace_ms(view) or not starts_by_us(view) or view.job.state != pb.JOB_STATE_RUNNING:
        return _look(view, run, _get(run))
    return Act(call=StartInstances((run.workflow_instance_id,)))


def _get(run: pb.InstanceRun) -> GetInstance:
    return GetInstance(run.workflow_instance_id)


def _look(view: View, run: pb.InstanceRun, call: GetInstance) -> Step | None:
    if view.now_ms < view.hints.poll_at_ms.get(run.index, 0):
        return None
    return Act(call=call, subject=run.index)


def grace_ms(view: View) -> int:
    """How long a child may stay NotRun after its parent's end before it is started."""
    if view.kind == "backfill" and view.job.backfill.HasField("adopt_grace"):
        return view.job.backfill.adopt_grace.ToMilliseconds()
    return view.policy.adopt_grace_ms


def restart(view: View, run: pb.InstanceRun) -> pb.InstanceRun:
    """What becomes of a run whose start was accepted but which was just read NotRun.

    Within the grace it stays. Then it goes back to CREATED to be started again, a bounded number of times, and at last
    it has failed with upstream's last words.
    """
    asked_at = view.hints.asked_at_ms.get(run.index, view.now_ms)
    if not starts_by_us(view) or view.now_ms - asked_at < view.policy.start_grace_ms:
        return run
    if view.hints.starts.get(run.index, 0) < view.policy.start_attempts:
        return run_with(run, state=pb.RUN_STATE_CREATED)
    said = run.upstream_message or "upstream accepted the start, and the instance stays NotRun"
    return run_with(run, state=pb.RUN_STATE_FAILED, error=errors.status(Reason.UPSTREAM_REFUSED, said))
