"""Starting instances: all of one create at once, and what upstream says of each.

"Because of parallelism config, wait for parent workflowInstance[ID] to finish" is no error: the run is BLOCKED on that
id (seed 000) and is looked after in `blocked_runs`. Any other refusal decides nothing: the instance is read, and its
status decides.
"""

from __future__ import annotations

import re
from typing import Final

from headgate import pb
from headgate.job.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts import lanes, poll_schedule
from headgate_worker.core.facts.failures import FINAL_REFUSALS
from headgate_worker.core.facts.job_kinds import expected_parent, may_start, starts_first, starts_itself
from headgate_worker.core.facts.operations import unplaced
from headgate_worker.core.facts.runs import by_instance
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Failure, OutcomeOf, PerInstance, StartInstances
from headgate_worker.core.model.steps import (
    Act,
    Change,
    Step,
    operation_changed,
    operation_with,
    run_with,
    runs_changed,
    timestamp,
)
from headgate_worker.core.model.view import View
from headgate_worker.core.rules.failure_policy import current_operation, halted, starts_ahead

_PARENT: Final = re.compile(r"workflow\s*instance\s*\[\s*(\d{1,19})\s*\]", re.IGNORECASE)
"""The parent's id in a refusal. Only the id is read: the sentence around it may change or be in another language."""

_MOST_ID: Final = 2**63 - 1


def parent_id(message: str) -> int:
    """The instance that a start's refusal says must end first; 0 when it says no such thing."""
    match = _PARENT.search(message)
    found = int(match.group(1)) if match else 0
    return found if found <= _MOST_ID else 0


def queue(view: View) -> Step | None:
    """Mark what upstream starts by itself, and what it will start after another: no start is sent."""
    if not starts_itself(view):
        return None
    fresh = [run for run in view.runs if _fresh(run)]
    if not fresh or unplaced(view.job):
        return None
    rows = [_queued(view.job, run) for run in fresh]
    return Act((runs_changed(*rows, message=f"upstream starts {len(rows)} instances by itself"),))


def _fresh(run: pb.InstanceRun) -> bool:
    return run.state == pb.RUN_STATE_CREATED and not run.started_by and not run.HasField("stop_time")


def _queued(job: pb.Job, run: pb.InstanceRun) -> pb.InstanceRun:
    parent = expected_parent(job, run)
    if parent is not None and parent.state not in RUN_TERMINAL:
        return run_with(run, state=pb.RUN_STATE_BLOCKED, blocked_by_id=parent.workflow_instance_id)
    return run_with(run, state=pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_UPSTREAM)


def start(view: View) -> Step | None:
    """Start every created instance of the earliest create that is not over, all at once: upstream sets the order.

    Of the next one, chains are started as lanes become free, so that none stands idle while a slow date ends.
    """
    if view.job.state != pb.JOB_STATE_RUNNING or not may_start(view) or halted(view):
        return None
    ready = [run for run in view.runs if _ready(view, run)]
    current = current_operation(view.job) if ready else -1
    ids = [run.workflow_instance_id for run in ready if run.operation_index == current]
    if not ids:
        return _start_ahead(view, ready, current) if ready and starts_ahead(view.job) else None
    if _is_unplaced(view.job, current):
        return None
    return Act(call=StartInstances(tuple(ids[: view.policy.batch]), comment=view.job.start.comment))


def start_meanwhile(view: View) -> Step | None:
    """Start what stands ready while the instances of a later create are being read for their dates."""
    return start(view) if starts_ahead(view.job) and unplaced(view.job) else None


def _is_unplaced(job: pb.Job, operation_index: int) -> bool:
    return any(operation.index == operation_index for operation, _ in unplaced(job))


def _start_ahead(view: View, ready: list[pb.InstanceRun], current: int) -> Step | None:
    """Start chains of a create while those before it still run; that it has begun is on record before the first one."""
    operation = view.job.operations[min(run.operation_index for run in ready)]
    if _is_unplaced(view.job, operation.index):
        return None
    own = [run for run in ready if run.operation_index == operation.index]
    ids = lanes.next_chains(view.job, operation, own, lanes.free(view.job, current))
    if not ids:
        return None
    row = operation_with(operation, early_start_time=timestamp(view.now_ms))
    drafts = () if operation.HasField("early_start_time") else (operation_changed(row, message=_AHEAD),)
    return Act(drafts, StartInstances(tuple(ids[: view.policy.batch])))


_AHEAD: Final = "lanes are free: its dates begin beside the last ones of the create before"


def _ready(view: View, run: pb.InstanceRun) -> bool:
    """Whether it is this job's turn to start the run: what upstream was to start comes back here when it did not."""
    return run.state == pb.RUN_STATE_CREATED and (starts_first(view) or run.started_by == pb.STARTED_BY_UPSTREAM)


def absorb_start(view: View, call: StartInstances, outcome: OutcomeOf[dict[int, PerInstance]]) -> Change:
    """Upstream's reply about each instance that was to be started."""
    if isinstance(outcome, Failure):
        if outcome.kind not in FINAL_REFUSALS:
            return Change((), poll_schedule.after_failure(view, outcome))
        answer = PerInstance(success=False, message=f"{outcome.code}: {outcome.message}")
        return _answered(view, dict.fromkeys(call.ids, answer))
    body = outcome.body
    silence = PerInstance(success=False, message="")
    return _answered(view, {one: body.get(one, silence) for one in call.ids})


def _answered(view: View, answers: dict[int, PerInstance]) -> Change:
    runs, hints, rows = by_instance(view.job), view.hints.settled(), []
    for instance_id, answer in answers.items():
        run = runs.get(instance_id)
        if run is not None and run.state not in RUN_TERMINAL:
            hints = hints.started(run.index, view.now_ms).poll(run.index, view.now_ms + view.policy.poll_min_ms)
            row = _after_start(run_with(run, upstream_message=answer.message[:1024]), answer)
            doubtful = row.state == pb.RUN_STATE_BLOCKED and _has_ended(view, run, row.blocked_by_id)
            hints = hints.doubted(run.index) if doubtful else hints.cleared(run.index)
            rows.append(row)
    return Change((runs_changed(*rows, message=_summary(rows)),) if rows else (), hints)


def _after_start(run: pb.InstanceRun, answer: PerInstance) -> pb.InstanceRun:
    parent = 0 if answer.success else parent_id(answer.message)
    if parent and parent != run.workflow_instance_id:
        row = run_with(run, state=pb.RUN_STATE_BLOCKED, blocked_by_id=parent)
        return run_with(row, parent_end_time=None, started_by=None)
    row = run_with(run, state=pb.RUN_STATE_STARTING, blocked_by_id=None, parent_end_time=None)
    return run_with(row, started_by=pb.STARTED_BY_HEADGATE if answer.success else None)


def _has_ended(view: View, run: pb.InstanceRun, parent: int) -> bool:
    """Whether upstream waits for a parent that was seen ended: it lets no child of such an end go, or it runs again."""
    if run.HasField("parent_end_time") and run.blocked_by_id == parent:
        return True
    found = by_instance(view.job).get(parent)
    return found is not None and found.state in RUN_TERMINAL


def released(view: View, run: pb.InstanceRun) -> pb.InstanceRun:
    """A blocked run whose parent was just seen ended, or will not be waited for by upstream for ever."""
    if run.index in view.hints.parents_doubted and view.hints.starts.get(run.index, 0) >= view.policy.start_attempts:
        return refused(run)
    return run_with(run, parent_end_time=timestamp(view.now_ms))


def refused(run: pb.InstanceRun) -> pb.InstanceRun:
    """A run that upstream will not start, with its last words."""
    said = run.upstream_message or "upstream accepted the start, and the instance stays NotRun"
    error = errors.status(Reason.UPSTREAM_REFUSED, said)
    return run_with(run, state=pb.RUN_STATE_FAILED, error=error, blocked_by_id=None, parent_end_time=None)


def _summary(rows: list[pb.InstanceRun]) -> str:
    blocked = sum(row.state == pb.RUN_STATE_BLOCKED for row in rows)
    return f"{len(rows) - blocked} started, {blocked} wait for a parent"


def restart(view: View, run: pb.InstanceRun) -> pb.InstanceRun:
    """What becomes of a run that was to be starting and was just read NotRun.

    A refusal in unknown words is taken for a wait where the parallelism says that it must be one. Otherwise the
    run stays for a grace; then it goes back to CREATED to be started again, a bounded number of times.
    """
    parent = expected_parent(view.job, run)
    if not run.started_by and parent is not None and parent.state not in RUN_TERMINAL:
        return run_with(run, state=pb.RUN_STATE_BLOCKED, blocked_by_id=parent.workflow_instance_id)
    waited_ms = view.now_ms - view.hints.asked_at_ms.get(run.index, view.now_ms)
    if not may_start(view) or view.job.state != pb.JOB_STATE_RUNNING or waited_ms < _grace_ms(view, run):
        return run
    if view.hints.starts.get(run.index, 0) < view.policy.start_attempts:
        return run_with(run, state=pb.RUN_STATE_CREATED)
    return refused(run)


def _grace_ms(view: View, run: pb.InstanceRun) -> int:
    graces = {
        pb.STARTED_BY_HEADGATE: view.policy.start_grace_ms,
        pb.STARTED_BY_UPSTREAM: poll_schedule.adopt_grace_ms(view),
    }
    return graces.get(run.started_by, view.policy.refusal_grace_ms)
