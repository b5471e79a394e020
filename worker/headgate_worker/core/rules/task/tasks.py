"""Task instances: one call about some of them, as the intent of a job, and what becomes of each.

Each is read first, so that a lost reply can be resolved by its status and run number; then the intent is recorded, and
the call sent. What upstream says of each stands in its run. Nothing is sent again while its effect may still show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headgate import pb
from headgate.reasons import Reason
from headgate_worker.core.facts.operations import OPEN, to_be_sent_again
from headgate_worker.core.model import errors
from headgate_worker.core.model.absorbers import Absorber, absorbs, of_subject
from headgate_worker.core.model.calls import Failure, GetTask, Outcome, OutcomeOf, PerInstance
from headgate_worker.core.model.steps import (
    Act,
    Change,
    Step,
    operation_changed,
    operation_with,
    run_with,
    runs_changed,
    timestamp,
    with_request_id,
)
from headgate_worker.core.model.task_calls import ACTIONS, TaskWrite
from headgate_worker.core.model.view import View
from headgate_worker.core.rules.creating import not_executed
from headgate_worker.core.rules.stopping import cancelling
from headgate_worker.core.rules.task import kinds, task_runs

KINDS: Final = kinds.KINDS
"""The kinds of job that this module drives."""

_ACCEPTED: Final = frozenset({pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING})


def drop(view: View) -> Step | None:
    """Let go of what a cancelled job has asked for and that was accepted: there is no call that takes it back."""
    if view.kind not in KINDS or not cancelling(view) or view.job.cancel.mode == pb.CANCEL_MODE_DRAIN:
        return None
    error = errors.status(Reason.RUN_SKIPPED, "the job was cancelled, and let go of it; its call is not taken back")
    left = [run for run in view.runs if run.state in _ACCEPTED]
    rows = [run_with(run, state=pb.RUN_STATE_UNRESOLVED, error=error) for run in left]
    return Act((runs_changed(*rows, message=f"{len(rows)} task instances let go of"),)) if rows else None


def first_read(view: View) -> Step | None:
    """Read what is to be asked for, as it is before."""
    if view.job.state != pb.JOB_STATE_RUNNING:
        return None
    unread = (run for run in view.runs if run.state == pb.RUN_STATE_PLANNED and not run.HasField("observe_time"))
    return next((_read(run) for run in unread), None)


def _read(run: pb.InstanceRun) -> Act:
    return Act(call=GetTask(run.task_instance_id), subject=run.index)


def send(view: View) -> Step | None:
    """Intend the call and send it; also one that was provably not executed, or shows no effect."""
    if view.job.state != pb.JOB_STATE_RUNNING or any(op.outcome in OPEN for op in view.job.operations):
        return None
    again = [op for op in view.job.operations if to_be_sent_again(view.job, op)]
    operation = again[0] if again else _next_operation(view)
    rows = _covered(view, operation)
    if not rows:
        return None
    intended = operation_with(
        operation,
        outcome=pb.OPERATION_OUTCOME_INTENDED,
        attempts=operation.attempts + 1,
        intent_time=timestamp(view.now_ms),
    )
    draft = operation_changed(intended, *rows, message=f"{intended.action} intended for {len(rows)} task instances")
    call = kinds.call(view, tuple(row.task_instance_id for row in rows))
    return Act((draft,), call, intended.index)


def _next_operation(view: View) -> pb.UpstreamOperation:
    return pb.UpstreamOperation(index=len(view.job.operations), action=ACTIONS[kinds.CALLS[view.kind]])


def _covered(view: View, operation: pb.UpstreamOperation) -> list[pb.InstanceRun]:
    """The rows that the call is about, now CREATING: what is left of it, or what was asked for and not sent."""
    left = task_runs.searched_for(view, operation)
    if left:
        return left
    planned = [run for run in view.runs if run.state == pb.RUN_STATE_PLANNED]
    return [
        run_with(run, state=pb.RUN_STATE_CREATING, operation_index=operation.index)
        for run in planned[: view.policy.batch]
    ]


def absorb_write(view: View, call: TaskWrite, subject: int, outcome: OutcomeOf[dict[int, PerInstance]]) -> Change:
    """What upstream said of the call, and of each task instance."""
    operation = with_request_id(view.job.operations[subject], outcome)
    if isinstance(outcome, Failure):
        return not_executed(view, operation, outcome)
    rows = [_answered(view, run, outcome.body) for run in task_runs.searched_for(view, operation)]
    refused = [row for row in rows if row.state == pb.RUN_STATE_FAILED]
    done = pb.OPERATION_OUTCOME_REFUSED if len(refused) == len(rows) else pb.OPERATION_OUTCOME_CONFIRMED
    said = f"{operation.action} accepted for {len(rows) - len(refused)} of {len(rows)} task instances"
    hints = view.hints.settled()
    for row in rows:
        hints = hints.poll(row.index, view.now_ms) if row.state in _ACCEPTED else hints
    return Change((operation_changed(operation_with(operation, outcome=done), *rows, message=said),), hints)


def _answered(view: View, run: pb.InstanceRun, answers: Mapping[int, PerInstance]) -> pb.InstanceRun:
    """A run after upstream's answer; one that it says nothing of is read like one that it accepted."""
    answer = answers.get(run.task_instance_id)
    row = run_with(run, upstream_message=answer.message[:1024]) if answer is not None else run
    if answer is not None and not answer.success:
        said = f"upstream refused it: {answer.message}"[:1024]
        return run_with(row, state=pb.RUN_STATE_FAILED, error=errors.status(Reason.UPSTREAM_REFUSED, said))
    if view.kind == kinds.RERUN:
        return run_with(row, state=pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)
    if view.kind == kinds.STOP:
        return run_with(row, state=pb.RUN_STATE_STARTING, stop_time=timestamp(view.now_ms))
    by_word = view.kind in kinds.DONE_BY_WORD and answer is not None
    return run_with(row, state=pb.RUN_STATE_SUCCEEDED if by_word else pb.RUN_STATE_STARTING)


def read(view: View) -> Step | None:
    """Read what was asked for when its time has come: after a lost reply, and to see what becomes of it."""
    due = [run for run in view.runs if _is_awaited(view, run) and view.now_ms >= _look_ms(view, run)]
    return _read(min(due, key=lambda run: _look_ms(view, run))) if due else None


def _is_awaited(view: View, run: pb.InstanceRun) -> bool:
    if run.state == pb.RUN_STATE_CREATING:
        return view.job.operations[run.operation_index].outcome in OPEN
    return run.state in _ACCEPTED


def _look_ms(view: View, run: pb.InstanceRun) -> int:
    return view.hints.poll_at_ms.get(run.index, 0)


def next_look_ms(view: View) -> int | None:
    """When the next task instance is to be read; None when none is."""
    if view.kind not in KINDS:
        return None
    return min((_look_ms(view, run) for run in view.runs if _is_awaited(view, run)), default=None)


RULES: Final[tuple[Callable[[View], Step | None], ...]] = (drop,)
"""Rules that commit without asking upstream; they come before the general ones, and are about these kinds only."""

CALLING_RULES: Final[tuple[Callable[[View], Step | None], ...]] = (read, first_read, send)
"""Rules that ask upstream, for these kinds instead of the general ones."""

_ABSORBERS: Final[Mapping[type, Absorber]] = dict(
    (
        of_subject(GetTask, task_runs.absorb_read),
        *(absorbs(kind, absorb_write) for kind in kinds.CALLS.values()),
    )
)


def absorb(view: View, act: Act, outcome: Outcome) -> Change:
    """What the outcome of a call changes."""
    assert act.call is not None  # noqa: S101  # an outcome has a call, told to the type checker
    return _ABSORBERS[type(act.call)](view, act.call, act.subject, outcome)
