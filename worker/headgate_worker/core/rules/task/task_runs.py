"""What a read of a task instance says of its run: before the call, after a lost reply, while its effect is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.job.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.failures import FINAL_REFUSALS
from headgate_worker.core.facts.operations import OPEN
from headgate_worker.core.facts.runs import THIS_JOB, differs, stopped
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Failure, FailureKind, OutcomeOf
from headgate_worker.core.model.steps import Change, operation_changed, operation_with, run_with, runs_changed
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.rules.reconciling import SEARCH_AGAIN_MS, settled_at_ms
from headgate_worker.core.rules.task import kinds

MOST_SENDS: Final = 3
"""How often a call is sent at most whose effect does not show; then a person is asked."""

_FOLLOWED: Final[Mapping[str, pb.RunState.ValueType]] = {
    "Success": pb.RUN_STATE_SUCCEEDED,
    "Failure": pb.RUN_STATE_FAILED,
    "Running": pb.RUN_STATE_RUNNING,
    "Checking": pb.RUN_STATE_RUNNING,
}
"""Status of a new run to run state; with any other it has not begun."""


def absorb_read(view: View, subject: int, outcome: OutcomeOf[pb.TaskInstance]) -> Change:
    """What a read of one task instance says."""
    run = view.job.runs[subject]
    if run.state in RUN_TERMINAL:
        return Change((), view.hints.settled())
    if isinstance(outcome, Failure):
        return _unreadable(view, run, outcome)
    seen = outcome.body
    if run.state == pb.RUN_STATE_PLANNED:
        return _first_read(view, run, seen)
    if run.state == pb.RUN_STATE_CREATING:
        return _searched(view, run, seen)
    return _followed(view, run, seen)


def _read_row(run: pb.InstanceRun, seen: pb.TaskInstance) -> pb.InstanceRun:
    row = run_with(run, upstream_status=seen.status, observe_time=seen.observe_time)
    if seen.HasField("biz_date"):
        row.biz_date.CopyFrom(seen.biz_date)
    return row


def _first_read(view: View, run: pb.InstanceRun, seen: pb.TaskInstance) -> Change:
    """Note which run is the latest before the call; what is as it is to be needs none."""
    row = run_with(_read_row(run, seen), task_run_number=seen.run_number)
    said = f"task instance {seen.id} ({seen.task_name[:64]}) is {seen.status} in run {seen.run_number}"
    if kinds.is_so_already(view.kind, seen):
        row = run_with(row, state=pb.RUN_STATE_SUCCEEDED)
        said += ": nothing is to be done"
    return Change((runs_changed(row, message=said),), view.hints.settled())


def _unreadable(view: View, run: pb.InstanceRun, failure: Failure) -> Change:
    hints = poll_schedule.after_failure(view, failure)
    unsent = run.state == pb.RUN_STATE_PLANNED
    if failure.kind not in (FINAL_REFUSALS if unsent else {FailureKind.NOT_FOUND}):
        return Change((), hints)
    state = pb.RUN_STATE_FAILED if unsent else pb.RUN_STATE_UNRESOLVED
    row = run_with(run, state=state, error=errors.of_failure(failure, "GetTaskInstance"))
    return Change((_with_operation(view, row, row.error.message),), view.hints.settled().forget(run.index))


def _followed(view: View, run: pb.InstanceRun, seen: pb.TaskInstance) -> Change:
    """What a read says of a run whose call was accepted."""
    row = _effect(view, _read_row(run, seen), seen)
    said = f"task instance {seen.id} is {seen.status} in run {seen.run_number}"
    hints = _next(view, row)
    return Change((runs_changed(row, message=said),) if differs(run, row) else (), hints)


def _next(view: View, row: pb.InstanceRun) -> Hints:
    hints = view.hints.settled()
    if row.state in RUN_TERMINAL:
        return hints.forget(row.index)
    return hints.poll(row.index, poll_schedule.next_poll_ms(view, row))


def _effect(view: View, row: pb.InstanceRun, seen: pb.TaskInstance) -> pb.InstanceRun:
    """The row with what has become of it; one whose effect should have shown by now is not resolved."""
    if view.kind == kinds.RERUN:
        reached = seen.run_number > row.task_run_number or seen.status not in kinds.ENDED
    else:
        reached = kinds.is_so_already(view.kind, seen)
    if reached:
        return effected(view, row, seen)
    if view.now_ms < _shows_by_ms(view, row):
        return row
    said = f"upstream has accepted the call, and shows task instance {seen.id} {seen.status} in run {seen.run_number}"
    return run_with(row, state=pb.RUN_STATE_UNRESOLVED, error=errors.status(Reason.UPSTREAM_AMBIGUOUS, said))


def _shows_by_ms(view: View, row: pb.InstanceRun) -> int:
    wait_ms = view.policy.stop_watchdog_ms if view.kind == kinds.STOP else view.policy.settle_ms
    return view.job.operations[row.operation_index].intent_time.ToMilliseconds() + wait_ms


def effected(view: View, row: pb.InstanceRun, seen: pb.TaskInstance) -> pb.InstanceRun:
    """The row of a task instance that shows the effect of the call."""
    for name in ("started_time", "finished_time"):
        if seen.HasField(name) and (name == "started_time" or seen.status in kinds.ENDED):
            getattr(row, name).CopyFrom(getattr(seen, name))
    if view.kind == kinds.STOP and seen.status == "Failure":
        return stopped(run_with(row, state=pb.RUN_STATE_STOPPED), THIS_JOB)
    if view.kind != kinds.RERUN:
        return run_with(row, state=pb.RUN_STATE_SUCCEEDED)
    row = run_with(row, state=_FOLLOWED.get(seen.status, pb.RUN_STATE_STARTING), started_by=pb.STARTED_BY_HEADGATE)
    if row.state == pb.RUN_STATE_FAILED:
        row.error.CopyFrom(_failed(seen))
    return row


def _failed(seen: pb.TaskInstance) -> Status:
    said = f"run {seen.run_number} of task instance {seen.id} ({seen.task_name[:64]}) ended in {seen.status}"
    return errors.status(Reason.RUNS_FAILED, said, task_instance_id=str(seen.id))


def _searched(view: View, run: pb.InstanceRun, seen: pb.TaskInstance) -> Change:
    """What a read says of a call whose outcome is not known; the last task instance without its effect decides."""
    if view.job.operations[run.operation_index].outcome not in OPEN:
        return Change((), view.hints.settled())  # a person has decided meanwhile
    if kinds.shows_effect(view, run, seen):
        row = effected(view, _read_row(run, seen), seen)
        said = f"task instance {seen.id} is {seen.status} in run {seen.run_number}: the call was executed"
        return Change((_with_operation(view, row, said),), _next(view, row))
    hints = view.hints.settled().looked(run.index, view.now_ms, view.now_ms + SEARCH_AGAIN_MS)
    return _undecided(view, run, hints)


def _with_operation(view: View, row: pb.InstanceRun, said: str) -> pb.JobEvent:
    """The draft for a row whose search has ended, with that of its operation where it was the last one."""
    operation = view.job.operations[row.operation_index] if row.operation_index >= 0 else None
    if operation is None or operation.outcome not in OPEN:
        return runs_changed(row, message=said)
    if any(other.index != row.index for other in searched_for(view, operation)):
        draft = runs_changed(row, message=said)
    else:
        draft = operation_changed(operation_with(operation, outcome=pb.OPERATION_OUTCOME_ADOPTED), row, message=said)
    draft.type = pb.EVENT_TYPE_RECONCILED
    return draft


def searched_for(view: View, operation: pb.UpstreamOperation) -> list[pb.InstanceRun]:
    """The runs of a call of which its effect was not seen."""
    creating = pb.RUN_STATE_CREATING
    return [run for run in view.runs if run.state == creating and run.operation_index == operation.index]


def _undecided(view: View, run: pb.InstanceRun, hints: Hints) -> Change:
    """Wait as long as an effect may still show; then send again, leave the rest open, or ask a person."""
    operation = view.job.operations[run.operation_index]
    settled_ms, left = settled_at_ms(view, operation), searched_for(view, operation)
    if any(hints.read_at_ms.get(one.index, 0) < settled_ms for one in left):
        return Change((), hints)
    for one in left:
        hints = hints.forget(one.index)
    if view.kind != kinds.RERUN and operation.attempts < MOST_SENDS:
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_NOT_SENT)
        draft = operation_changed(row, message=f"{len(left)} task instances do not show it, and are asked for again")
    elif any(one.operation_index == operation.index and one.state not in _LEFT for one in view.runs):
        draft = _executed_in_part(operation, left)
    else:
        return Change((_asks(operation, left),), hints)
    draft.type = pb.EVENT_TYPE_RECONCILED
    return Change((draft,), hints)


_LEFT: Final = frozenset({pb.RUN_STATE_CREATING, pb.RUN_STATE_UNRESOLVED})


def _executed_in_part(operation: pb.UpstreamOperation, left: list[pb.InstanceRun]) -> pb.JobEvent:
    """The call was executed, as others show; what upstream said of these was lost with its reply."""
    said = f"{operation.action} was executed, and its answer for this task instance was lost; it shows no effect"
    error = errors.status(Reason.UPSTREAM_AMBIGUOUS, said, action=operation.action)
    rows = [run_with(one, state=pb.RUN_STATE_UNRESOLVED, error=error) for one in left]
    adopted = operation_with(operation, outcome=pb.OPERATION_OUTCOME_ADOPTED)
    return operation_changed(adopted, *rows, message=f"{len(rows)} task instances show no effect of {operation.action}")


def _asks(operation: pb.UpstreamOperation, left: list[pb.InstanceRun]) -> pb.JobEvent:
    named = ", ".join(str(one.task_instance_id) for one in left[:10])
    said = f"whether {operation.action} was executed can't be told: no effect shows in task instances {named}"
    error = errors.status(Reason.UPSTREAM_AMBIGUOUS, said, action=operation.action)
    state = pb.JOB_STATE_NEEDS_ATTENTION
    return pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said)
