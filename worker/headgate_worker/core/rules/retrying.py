"""Trying failed dates again: when a round of tries begins, and the look at the old instance before each new one.

A round begins once nothing else of the job is under way and the wait of every failed date is over, so that the
parallelism holds and, where a failure halts all, the order of the dates too. What must be out of the way first is
called back by `stopping`. An operator may have rerun a failed instance: it is read before its date gets another.
"""

from __future__ import annotations

from headgate import pb
from headgate.backfill import date_retries
from headgate.job.lifecycle import RUN_TERMINAL
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.operations import unplaced
from headgate_worker.core.facts.runs import NOT_STARTED, observe
from headgate_worker.core.model.calls import Call, Failure, FailureKind, GetInstance, OutcomeOf
from headgate_worker.core.model.event_text import label
from headgate_worker.core.model.steps import Act, Change, Step, run_with, runs_changed
from headgate_worker.core.model.view import Policy, View
from headgate_worker.core.rules import diagnosis
from headgate_worker.core.rules.failure_policy import awaiting, halts, halts_all


def wait_ms(retries: int, policy: Policy) -> int:
    """How long a date waits after its failure; `retries` is how often it was tried again before."""
    doubled: int = policy.retry_min_ms * 2 ** min(retries, 16)
    return min(policy.retry_max_ms, doubled)


def due_ms(view: View, run: pb.InstanceRun) -> int:
    """When a failed date may be tried again, counted from when its failure was seen."""
    seen_ms: int = run.observe_time.ToMilliseconds()
    return seen_ms + wait_ms(run.retries, view.policy)


def next_look_ms(view: View) -> int | None:
    """When the wait of the last failed date is over; None when none waits."""
    return max((due_ms(view, run) for run in awaiting(view)), default=None)


def retry(view: View) -> Step | None:
    """Look at the instance of a failed date whose turn it is to be tried again."""
    waiting = awaiting(view)
    if not waiting or view.job.state != pb.JOB_STATE_RUNNING:
        return None
    if any(due_ms(view, run) > view.now_ms for run in waiting) or unplaced(view.job):
        return None
    if diagnosis.pending(view):  # every try shows why it failed
        return None
    if any(_in_the_way(view, run) for run in view.runs):
        return None
    return Act(call=GetInstance(waiting[0].workflow_instance_id), subject=waiting[0].index)


def _in_the_way(view: View, run: pb.InstanceRun) -> bool:
    """Whether the run has to come to something before a round of tries may begin.

    After a halt nothing moves but what was called back; what exists ahead of its turn was never named to upstream.
    """
    if run.state in RUN_TERMINAL:
        return False
    if not halts_all(view.job):
        return run.state != pb.RUN_STATE_PLANNED or not run.retries + run.recalls
    if run.state == pb.RUN_STATE_CREATING:
        return view.job.operations[run.operation_index].outcome != pb.OPERATION_OUTCOME_NOT_SENT
    if run.state == pb.RUN_STATE_CREATED:
        return halts(view, run) or run.HasField("stop_time")
    return run.state != pb.RUN_STATE_PLANNED


def asks(view: View, call: Call, subject: int) -> bool:
    """Whether a read of an instance is the look before its date is tried again."""
    waiting = awaiting(view)
    return any(run.index == subject and call == GetInstance(run.workflow_instance_id) for run in waiting)


def absorb_look(view: View, subject: int, outcome: OutcomeOf[pb.WorkflowInstance]) -> Change:
    """Try the date again, unless an operator has rerun its instance: that run is followed then."""
    run = view.runs[subject]
    if isinstance(outcome, Failure):
        gone = outcome.kind is FailureKind.NOT_FOUND
        return _again(view, run) if gone else Change((), poll_schedule.after_failure(view, outcome))
    seen = outcome.body
    if seen.status == pb.WORKFLOW_INSTANCE_STATUS_FAILURE:
        return _again(view, run)
    row = observe(run, seen)
    if seen.status in NOT_STARTED:
        row = run_with(row, state=pb.RUN_STATE_STARTING)
    row = run_with(row, started_by=pb.STARTED_BY_OPERATOR, failure_digest=None)  # it was of the run before
    said = f"instance {row.workflow_instance_id} is {row.upstream_status}: {label(row)} is not tried again"
    return Change((runs_changed(row, message=said),), view.hints.settled().poll(row.index, view.now_ms))


def _again(view: View, run: pb.InstanceRun) -> Change:
    row = date_retries.tried_again(run)
    most = view.job.backfill.max_attempts_per_date
    draft = runs_changed(row, message=f"{label(row)} is tried again, try {row.retries + 1} of {most}")
    draft.type = pb.EVENT_TYPE_RETRY_SCHEDULED
    # What was being found out about the failure is about an instance that is not on the row any more.
    return Change((draft,), view.hints.settled().forget(run.index).inquire(run.index, None))
