"""EnOS flows: trigger one and follow it, cancel one and see it end. Both kinds of job have one run.

A trigger is not safe to repeat, and upstream takes no mark of ours: what a search can find again is the flow and the
trigger time. So the search comes first, and the instances that it finds are written into the marker as not ours; then
the intent, then the call; after a lost reply one new instance is adopted, and anything else asks a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from headgate import pb
from headgate.job.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.operations import OPEN
from headgate_worker.core.model import errors
from headgate_worker.core.model.absorbers import Absorber, absorbs, of_subject
from headgate_worker.core.model.calls import Call, Failure, FailureKind, Outcome, OutcomeOf
from headgate_worker.core.model.flow_calls import (
    CancelFlow,
    FlowPage,
    FlowTriggered,
    GetFlow,
    GetFlowTaskLog,
    ListFlows,
    TriggerFlow,
)
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
from headgate_worker.core.rules import creating, diagnosis
from headgate_worker.core.rules.flow import flow_runs
from headgate_worker.core.rules.reconciling import SEARCH_AGAIN_MS, settled_at_ms

TRIGGER: Final = "trigger_flow"
CANCEL: Final = "cancel_flow_instance"
KINDS: Final = frozenset({TRIGGER, CANCEL})
"""The kinds of job that this module drives."""

_FINAL: Final = frozenset({FailureKind.REFUSED, FailureKind.DENIED, FailureKind.NOT_FOUND})
_SECOND: Final = 1_000


@dataclass(frozen=True, slots=True)
class Marker:
    """What a search for a lost trigger goes by.

    Args:
        flow_id: the flow.
        trigger_ms: the trigger time that was sent.
        others: instances of that flow and time that were there before.
    """

    flow_id: int
    trigger_ms: int
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.flow_id}@{self.trigger_ms}" + (f"!{','.join(self.others)}" if self.others else "")

    @classmethod
    def parse(cls, text: str) -> Marker:
        """The marker that was written as `text`."""
        place, _, others = text.partition("!")
        flow_id, _, trigger_ms = place.partition("@")
        return cls(int(flow_id), int(trigger_ms), tuple(others.split(",")) if others else ())


def _search(trigger_ms: int) -> ListFlows:
    """A search of the second of a trigger time: printed times have no more digits."""
    from_ms = trigger_ms - trigger_ms % _SECOND
    return ListFlows(pb.FLOW_INSTANCE_TYPE_MANUAL, from_ms, from_ms + _SECOND)


def _found(page: FlowPage, flow_id: int) -> tuple[str, ...]:
    return tuple(seen.instance_id for seen in page.instances if seen.flow_id == flow_id)


def _due(view: View) -> bool:
    return view.now_ms >= view.hints.operation_poll_at_ms


def trigger(view: View) -> Step | None:
    """Look what is there already, then intend and send the trigger; also one that was provably not executed before."""
    if view.kind != TRIGGER or view.job.state != pb.JOB_STATE_RUNNING or not _due(view):
        return None
    if not view.job.operations:
        return Act(call=_search(_wanted_ms(view))) if view.job.runs[0].state == pb.RUN_STATE_PLANNED else None
    operation = view.job.operations[0]
    if operation.outcome != pb.OPERATION_OUTCOME_NOT_SENT:
        return None
    intended = operation_with(
        operation,
        outcome=pb.OPERATION_OUTCOME_INTENDED,
        attempts=operation.attempts + 1,
        intent_time=timestamp(view.now_ms),
    )
    row = run_with(view.job.runs[0], state=pb.RUN_STATE_CREATING, operation_index=0)
    return Act((operation_changed(intended, row, message="TriggerFlow intended"),), _trigger_call(view, intended), 0)


def _wanted_ms(view: View) -> int:
    spec = view.job.trigger_flow
    if spec.HasField("trigger_time"):
        return spec.trigger_time.ToMilliseconds()
    return view.now_ms - view.now_ms % _SECOND


def _trigger_call(view: View, operation: pb.UpstreamOperation) -> TriggerFlow:
    spec = view.job.trigger_flow
    parameters = tuple((one.key, one.value) for one in spec.parameters)
    return TriggerFlow(spec.flow_id, Marker.parse(operation.marker).trigger_ms, spec.from_task_id, parameters)


def reconcile(view: View) -> Step | None:
    """Search for the instance of a trigger whose outcome is not known."""
    operation = next((op for op in view.job.operations if op.outcome in OPEN), None)
    if operation is None or not _due(view):
        return None
    return Act(call=_search(Marker.parse(operation.marker).trigger_ms), subject=operation.index)


def cancel(view: View) -> Step | None:
    """Send the cancel of what is to end."""
    for run in view.job.runs:
        refused_ms = view.hints.stop_asked_ms.get(run.index)
        again = refused_ms is None or view.now_ms >= refused_ms + view.policy.stop_again_ms
        if _wants_end(view, run) and again:
            return Act(call=CancelFlow(run.flow_instance_id), subject=run.index)
    return None


def _wants_end(view: View, run: pb.InstanceRun) -> bool:
    if not run.flow_instance_id or run.state in RUN_TERMINAL or run.HasField("stop_time"):
        return False
    if view.job.state == pb.JOB_STATE_CANCELLING:
        return view.job.cancel.mode == pb.CANCEL_MODE_STOP
    return view.kind == CANCEL and view.job.state == pb.JOB_STATE_RUNNING


def read(view: View) -> Step | None:
    """Read the instance when its time has come."""
    for run in view.job.runs:
        if _is_followed(run) and view.now_ms >= view.hints.poll_at_ms.get(run.index, 0):
            return Act(call=GetFlow(run.flow_instance_id), subject=run.index)
    return None


def _is_followed(run: pb.InstanceRun) -> bool:
    return bool(run.flow_instance_id) and run.state not in RUN_TERMINAL


def drop(view: View) -> Step | None:
    """Let go of an instance that a cancelled cancel job has not touched yet."""
    if view.kind != CANCEL or view.job.state != pb.JOB_STATE_CANCELLING:
        return None
    error = errors.status(Reason.RUN_SKIPPED, "the job was cancelled first")
    rows = [
        run_with(run, state=pb.RUN_STATE_SKIPPED, error=error)
        for run in view.job.runs
        if run.state not in RUN_TERMINAL and not run.HasField("stop_time")
    ]
    return Act((runs_changed(*rows, message="nothing was asked of upstream"),)) if rows else None


def conclude(view: View) -> Step | None:
    """End a cancel job once its instance has ended, however; what a trigger comes to is decided as for a create."""
    if view.kind != CANCEL or view.job.state not in (pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED):
        return None
    run = view.job.runs[0]
    accepted = view.job.until == pb.UNTIL_ACCEPTED and run.HasField("stop_time")
    if run.state not in RUN_TERMINAL and not accepted:
        return None
    draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_SUCCEEDED, message="done")
    if run.state == pb.RUN_STATE_UNRESOLVED:
        draft.state = pb.JOB_STATE_FAILED
        draft.error.CopyFrom(run.error)
        draft.message = run.error.message
    return Act((draft,))


def next_look_ms(view: View) -> int | None:
    """When the instance is to be looked at, or its refused cancel sent again; None when neither."""
    times = [view.hints.poll_at_ms.get(run.index, 0) for run in view.job.runs if _is_followed(run)]
    refused = view.hints.stop_asked_ms
    times += [
        refused[run.index] + view.policy.stop_again_ms
        for run in view.job.runs
        if run.index in refused and _wants_end(view, run)
    ]
    return min(times, default=None)


RULES: Final[tuple[Callable[[View], Step | None], ...]] = (conclude, drop)
"""Rules that commit without asking upstream; they come before the general ones, and are about these kinds only."""

CALLING_RULES: Final[tuple[Callable[[View], Step | None], ...]] = (reconcile, cancel, trigger, read, diagnosis.inquire)
"""Rules that ask upstream, for these kinds instead of the general ones."""


def absorb(view: View, act: Act, outcome: Outcome) -> Change:
    """What the outcome of a call changes."""
    assert act.call is not None  # noqa: S101  # an outcome has a call, told to the type checker
    return _ABSORBERS[type(act.call)](view, act.call, act.subject, outcome)


def _absorb_search(view: View, call: ListFlows, subject: int, outcome: OutcomeOf[FlowPage]) -> Change:
    if isinstance(outcome, Failure):
        return _not_searched(view, subject, outcome)
    if subject < 0:
        return _first_look(view, call, outcome.body)
    return _second_look(view, view.job.operations[subject], outcome.body)


def _not_searched(view: View, subject: int, failure: Failure) -> Change:
    """A first look that upstream refuses ends the run: nothing was sent, and nothing else would be allowed either."""
    hints = poll_schedule.after_failure(view, failure)
    if subject >= 0 or failure.kind not in _FINAL or view.job.runs[0].state != pb.RUN_STATE_PLANNED:
        return Change((), hints)
    error = errors.of_failure(failure, "ListFlowInstances")
    row = run_with(view.job.runs[0], state=pb.RUN_STATE_FAILED, error=error)
    refused = pb.UpstreamOperation(index=0, action="TriggerFlow", outcome=pb.OPERATION_OUTCOME_REFUSED)
    return Change((operation_changed(refused, row, message=error.message),), hints)


def _first_look(view: View, call: ListFlows, page: FlowPage) -> Change:
    """Choose the trigger time, and note what of that time is not ours."""
    if view.job.operations:
        return Change((), view.hints.settled())
    spec = view.job.trigger_flow
    others = _found(page, spec.flow_id)
    if others and not spec.HasField("trigger_time"):
        # Another trigger of this second: its id would be ours, so the next second is taken.
        return Change((), replace(view.hints.settled(), operation_poll_at_ms=view.now_ms + _SECOND))
    trigger_ms = spec.trigger_time.ToMilliseconds() if spec.HasField("trigger_time") else call.from_ms
    row = pb.UpstreamOperation(
        index=0,
        action="TriggerFlow",
        marker=str(Marker(spec.flow_id, trigger_ms, others)),
        outcome=pb.OPERATION_OUTCOME_NOT_SENT,
    )
    hints = replace(view.hints.settled(), operation_poll_at_ms=0)
    return Change((operation_changed(row, message=f"flow {spec.flow_id} is to be triggered"),), hints)


def _second_look(view: View, operation: pb.UpstreamOperation, page: FlowPage) -> Change:
    hints = replace(view.hints.settled(), operation_poll_at_ms=0)
    if operation.outcome not in OPEN:
        return Change((), hints)  # a person has decided meanwhile
    marker = Marker.parse(operation.marker)
    found = [one for one in _found(page, marker.flow_id) if one not in marker.others]
    cut = page.total_count > len(page.instances)
    if len(found) == 1 and not cut:
        return _triggered(view, operation, found[0], pb.OPERATION_OUTCOME_ADOPTED)
    if view.now_ms >= settled_at_ms(view, operation):
        return Change((_undecided(operation, found),), hints)
    return Change((), replace(hints, operation_poll_at_ms=view.now_ms + SEARCH_AGAIN_MS))


def _undecided(operation: pb.UpstreamOperation, found: list[str]) -> pb.JobEvent:
    said = f"whether TriggerFlow of {operation.marker} was executed can't be told: {len(found)} instances were found"
    error = errors.status(
        Reason.UPSTREAM_AMBIGUOUS, said, action="TriggerFlow", marker=operation.marker, found=",".join(found[:50])
    )
    state = pb.JOB_STATE_NEEDS_ATTENTION
    return pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said)


def _absorb_trigger(view: View, call: Call, subject: int, outcome: OutcomeOf[FlowTriggered]) -> Change:
    if isinstance(outcome, Failure):
        return creating.absorb_create(view, subject, outcome)
    operation = view.job.operations[subject]
    return _triggered(view, operation, outcome.body.instance_id, pb.OPERATION_OUTCOME_CONFIRMED)


def _triggered(
    view: View, operation: pb.UpstreamOperation, instance_id: str, outcome: pb.OperationOutcome.ValueType
) -> Change:
    row = run_with(view.job.runs[0], flow_instance_id=instance_id, started_by=pb.STARTED_BY_HEADGATE)
    if row.state not in RUN_TERMINAL:  # a cancel may have let go of it meanwhile
        row.state = pb.RUN_STATE_STARTING
    draft = operation_changed(operation_with(operation, outcome=outcome), row, message=f"instance {instance_id}")
    if outcome == pb.OPERATION_OUTCOME_ADOPTED:
        draft.type = pb.EVENT_TYPE_RECONCILED
    hints = replace(view.hints.settled(), operation_poll_at_ms=0).asked(0, view.now_ms)
    return Change((draft,), hints.poll(0, view.now_ms + view.policy.poll_min_ms))


_ABSORBERS: Final[Mapping[type, Absorber]] = dict(
    (
        absorbs(ListFlows, _absorb_search),
        absorbs(TriggerFlow, _absorb_trigger),
        absorbs(CancelFlow, flow_runs.absorb_cancel),
        absorbs(GetFlow, flow_runs.absorb_read),
        of_subject(GetFlowTaskLog, diagnosis.absorb_log),
    )
)
