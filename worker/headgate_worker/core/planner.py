"""What to do next with a job, and what an outcome changes. The one way into the decisions of this package.

Pure: no clock, no randomness, no I/O; the caller passes them in. Rules are asked in order, and the first one that
answers is followed. The order matters only where a comment says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import date_claims
from headgate_worker.core.facts import operations
from headgate_worker.core.model.absorbers import Absorber, absorbs, of_call, of_subject
from headgate_worker.core.model.calls import (
    CreateInstances,
    ExecuteAdhoc,
    GetCreateResult,
    GetInstance,
    GetRerunResult,
    GetTaskLog,
    InstancePage,
    ListInstances,
    ListTasks,
    Outcome,
    OutcomeOf,
    RerunInstances,
    StartInstances,
    StopInstances,
)
from headgate_worker.core.model.flow_calls import FlowCall
from headgate_worker.core.model.steps import Act, Change, Rest, Step, Wait, after
from headgate_worker.core.model.view import View
from headgate_worker.core.rules import (
    async_operations,
    cancelling,
    creating,
    diagnosis,
    failure_policy,
    instance_mapping,
    job_end,
    observing,
    reconciling,
    retrying,
    starting,
    stopping,
    surveying,
)
from headgate_worker.core.rules.flow import flows
from headgate_worker.core.rules.task import tasks

Rule = Callable[[View], Step | None]

IDLE_MS: Final = 300_000
"""Longest time between two ticks of a job that waits for something without a time of its own, such as a person: each
change of the job wakes it, so that this timer is only the fallback."""


def _begin(view: View) -> Step | None:
    """Leave QUEUED, in the same commit as the first thing that is done.

    A job that waits in line for its dates only tries to have them: that commit may be refused again and again.
    """
    if view.job.state != pb.JOB_STATE_QUEUED:
        return None
    draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_RUNNING, message="a worker has begun")
    if date_claims.waits(view.job):
        return Act((draft,))
    following = plan(after(view, (draft,)))
    if isinstance(following, Act):
        return Act((draft, *following.drafts), following.call, following.subject)
    return Act((draft,))


RULES: Final[tuple[Rule, ...]] = (
    *flows.RULES,
    *tasks.RULES,
    # What is done already is done in time, even if the look at it comes late.
    job_end.conclude,
    cancelling.overdue,
    _begin,
    cancelling.stuck,
    cancelling.drop,
    instance_mapping.missing,
    failure_policy.halt,
    starting.queue,
)
"""Rules that commit without asking upstream."""

CALLING_RULES: Final[tuple[Rule, ...]] = (
    reconciling.reconcile,
    async_operations.confirm,
    starting.start_meanwhile,
    instance_mapping.place,
    stopping.stop,
    surveying.survey,
    retrying.retry,
    creating.create,
    starting.start,
    diagnosis.inquire,
    observing.read,
)
"""Rules that ask upstream; none is asked while a failed call has its wait."""


def plan(view: View) -> Step:
    """The next step for a job."""
    if view.job.state in JOB_TERMINAL:
        return Rest()
    for rule in RULES:
        step = rule(view)
        if step is not None:
            return step
    return _plan_call(view)


def _plan_call(view: View) -> Step:
    if view.job.state == pb.JOB_STATE_NEEDS_ATTENTION:
        return Wait(_latest_ms(view))
    if view.now_ms < view.hints.retry_at_ms:
        return Wait(min([view.hints.retry_at_ms, *_bounds_ms(view)]), view.hints.retry_at_ms)
    for rule in _calling_rules(view.kind):
        step = rule(view)
        if step is not None:
            return step
    look_ms = _next_look_ms(view)
    return Wait(min([*filter(None, [look_ms]), _latest_ms(view)]), look_ms)


def _calling_rules(kind: str) -> tuple[Rule, ...]:
    if kind in tasks.KINDS:
        return tasks.CALLING_RULES
    return flows.CALLING_RULES if kind in flows.KINDS else CALLING_RULES


def _latest_ms(view: View) -> int:
    """The latest time a job may be left alone that waits for nothing in particular."""
    return min([view.now_ms + IDLE_MS, *_bounds_ms(view)])


def _bounds_ms(view: View) -> list[int]:
    """When something must be decided, whatever a job waits for: its deadline, and its cancel's watchdog."""
    times = [view.job.deadline_time.ToMilliseconds()] if view.job.HasField("deadline_time") else []
    stuck_at_ms = cancelling.stuck_at_ms(view)
    if stuck_at_ms is not None:
        times.append(stuck_at_ms)
    return [at_ms for at_ms in (*times, *diagnosis.times_ms(view)) if at_ms > view.now_ms]


def _next_look_ms(view: View) -> int:
    """When the first thing that this job waits for may have happened upstream; 0 when it waits for nothing there."""
    times = [
        observing.next_look_ms(view),
        flows.next_look_ms(view),
        tasks.next_look_ms(view),
        view.hints.operation_poll_at_ms,
        view.hints.place_at_ms,
        retrying.next_look_ms(view),
        *stopping.again_ms(view),
    ]
    return min([at_ms for at_ms in times if at_ms is not None and at_ms > view.now_ms], default=0)


def absorb(view: View, act: Act, outcome: Outcome) -> Change:
    """What the outcome of an act's call changes. `view.job` may have moved on since the act was planned."""
    if isinstance(act.call, FlowCall):
        return flows.absorb(view, act, outcome)
    if view.kind in tasks.KINDS:
        return tasks.absorb(view, act, outcome)
    return _ABSORBERS[type(act.call)](view, act.call, act.subject, outcome)


def _absorb_list(view: View, call: ListInstances, subject: int, outcome: OutcomeOf[InstancePage]) -> Change:
    if call.ids:
        return observing.absorb_batch(view, call, outcome)
    if subject < 0:
        return surveying.absorb_survey(view, call, outcome)
    return reconciling.absorb_search(view, subject, call, outcome)


def _absorb_get(view: View, call: GetInstance, subject: int, outcome: OutcomeOf[pb.WorkflowInstance]) -> Change:
    if reconciling.searches_rerun(view):
        return reconciling.absorb_rerun_read(view, outcome)
    if any(instance_id == call.id for _, instance_id in operations.unplaced(view.job)):
        return instance_mapping.absorb_place(view, subject, call, outcome)
    if retrying.asks(view, call, subject):
        return retrying.absorb_look(view, subject, outcome)
    return observing.absorb_read(view, subject, call, outcome)


_ABSORBERS: Final[Mapping[type, Absorber]] = dict(
    (
        of_subject(CreateInstances, creating.absorb_create),
        of_subject(ExecuteAdhoc, creating.absorb_create),
        of_subject(RerunInstances, creating.absorb_create),
        of_subject(GetCreateResult, async_operations.absorb_result),
        of_subject(GetRerunResult, async_operations.absorb_result),
        of_call(StartInstances, starting.absorb_start),
        of_call(StopInstances, stopping.absorb_stop),
        absorbs(ListInstances, _absorb_list),
        absorbs(GetInstance, _absorb_get),
        of_subject(ListTasks, diagnosis.absorb_tasks),
        of_subject(GetTaskLog, diagnosis.absorb_log),
    )
)
"""Every kind of call that a rule makes, each with what takes its reply; but those of flows and tasks."""
