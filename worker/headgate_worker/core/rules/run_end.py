"""What a read says of a run that is not to run any more, and of one whose instance still shows an earlier run."""

from __future__ import annotations

from headgate import pb
from headgate.backfill import date_retries
from headgate.job.lifecycle import RUN_TERMINAL
from headgate.reasons import Reason
from headgate_worker.core.facts import child_release, poll_schedule
from headgate_worker.core.facts.job_kinds import NAMED, may_start
from headgate_worker.core.facts.runs import NOBODY, NOT_STARTED, NOT_YET_STARTED, THIS_JOB, by_instance, stopped
from headgate_worker.core.model import errors
from headgate_worker.core.model.steps import run_with
from headgate_worker.core.model.view import View
from headgate_worker.core.rules.failure_policy import awaiting, halted, may_be_named, skipped_error
from headgate_worker.core.rules.stopping import cancelling

_FINAL = frozenset({pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, pb.WORKFLOW_INSTANCE_STATUS_FAILURE})


def is_old_run(view: View, seen: pb.WorkflowInstance) -> bool:
    """Whether a rerun's instance still shows the end of the run before it."""
    if view.kind != "rerun" or seen.status not in _FINAL or not seen.HasField("finished_time"):
        return False
    return seen.finished_time.ToMilliseconds() < rerun_intent_ms(view) - view.policy.clock_error_ms


def rerun_intent_ms(view: View) -> int:
    """When the rerun was intended; nothing before it was ours."""
    return max((op.intent_time.ToMilliseconds() for op in view.job.operations), default=0)


def ended(view: View, row: pb.InstanceRun, seen: pb.WorkflowInstance) -> pb.InstanceRun:
    """The row once what was just read is taken for its end, where it is one."""
    if is_old_run(view, seen):
        return _never_ran_again(view, row)
    if row.state in RUN_TERMINAL:
        return _never_begun(view, row)
    if seen.status in NOT_STARTED:
        return _not_run(view, row)
    if view.kind == "stop" and row.index in view.hints.stop_asked_ms and not row.HasField("stop_time"):
        return _unstoppable(row)
    return row


def _unstoppable(row: pb.InstanceRun) -> pb.InstanceRun:
    error = errors.status(Reason.UPSTREAM_REFUSED, row.upstream_message or "upstream refused to stop it")
    return run_with(row, state=pb.RUN_STATE_UNRESOLVED, error=error)


def _never_ran_again(view: View, row: pb.InstanceRun) -> pb.InstanceRun:
    if view.now_ms < rerun_intent_ms(view) + view.policy.settle_ms:
        return row
    error = errors.status(Reason.UPSTREAM_AMBIGUOUS, "upstream shows no run of it since the rerun")
    return run_with(row, state=pb.RUN_STATE_UNRESOLVED, error=error)


def _never_begun(view: View, row: pb.InstanceRun) -> pb.InstanceRun:
    """Upstream may call it Failure when an instance is stopped before it ran; in a halt such a date was skipped.

    One that was called back is to run later, be it that the stop cut it short.
    """
    if row.state != pb.RUN_STATE_STOPPED or row.stopped_by != pb.STOPPED_BY_HEADGATE:
        return row
    if awaiting(view):
        return date_retries.called_back(row)
    if not halted(view) or row.HasField("started_time"):
        return row
    row = run_with(row, stopped_by=None)
    return run_with(row, state=pb.RUN_STATE_SKIPPED, error=skipped_error(view))


def _not_run(view: View, row: pb.InstanceRun) -> pb.InstanceRun:
    asked = row.HasField("stop_time") or row.index in view.hints.stop_asked_ms
    untouched = cancelling(view) and row.state == pb.RUN_STATE_CREATED
    if row.state not in NOT_YET_STARTED or not (asked or untouched) or _may_start_yet(view, row):
        return row
    if asked and awaiting(view):
        return date_retries.called_back(row)
    row = run_with(row, started_by=None)
    if asked and not halted(view):  # upstream has no word for it
        return stopped(run_with(row, blocked_by_id=None), THIS_JOB if row.HasField("stop_time") else NOBODY)
    why = skipped_error(view) if halted(view) else errors.status(Reason.RUN_SKIPPED, "the job was cancelled first")
    return run_with(row, state=pb.RUN_STATE_SKIPPED, error=why, blocked_by_id=None)


def _may_start_yet(view: View, row: pb.InstanceRun) -> bool:
    """Whether the instance may still be started, by what ended last or by a start whose reply was lost."""
    if _was_named(row) and (view.now_ms < _released_until_ms(view, row) or _waits_for_parent(view, row)):
        return True
    if view.kind in NAMED and not _others_rest(view, row):
        return True
    asked_ms = view.job.cancel.request_time.ToMilliseconds()
    return _is_asked(view, row) and cancelling(view) and view.now_ms < asked_ms + view.policy.start_grace_ms


def _waits_for_parent(view: View, row: pb.InstanceRun) -> bool:
    parent = by_instance(view.job).get(row.blocked_by_id) if row.state == pb.RUN_STATE_BLOCKED else None
    return parent is not None and parent.state not in RUN_TERMINAL


def _released_until_ms(view: View, row: pb.InstanceRun) -> int:
    """Until when what has ended may still release an instance; one whose stop was refused, as long as any child."""
    last_end_ms = max(_last_end_ms(view), row.parent_end_time.ToMilliseconds())
    if row.HasField("stop_time"):
        return last_end_ms + view.policy.idle_settle_ms
    asked_ms = view.job.cancel.request_time.ToMilliseconds() if cancelling(view) else 0
    return max(last_end_ms, asked_ms) + poll_schedule.adopt_grace_ms(view)


def _last_end_ms(view: View) -> int:
    return max((run.observe_time.ToMilliseconds() for run in view.runs if _shows_an_end(run)), default=0)


def _shows_an_end(run: pb.InstanceRun) -> bool:
    """Whether the row is about an instance that has ended: its own, or the one before it that was called back."""
    return run.HasField("finished_time") or (run.state == pb.RUN_STATE_PLANNED and run.HasField("observe_time"))


def _others_rest(view: View, row: pb.InstanceRun) -> bool:
    """Whether every other run has ended, or was read NotRun since the last end: none of them can release this one."""
    since_ms = _last_end_ms(view)
    return all(
        run.state in RUN_TERMINAL or run.index == row.index or view.hints.idle_at_ms.get(run.index, 0) > since_ms
        for run in view.runs
    )


def _was_named(row: pb.InstanceRun) -> bool:
    return row.state != pb.RUN_STATE_CREATED or row.HasField("stop_time")


def _is_asked(view: View, row: pb.InstanceRun) -> bool:
    """Whether a start of it may be on its way."""
    if not may_start(view):
        return False
    if row.state == pb.RUN_STATE_CREATED:
        return may_be_named(view.job, row) or bool(row.retries or row.recalls)
    if row.state != pb.RUN_STATE_BLOCKED or not row.HasField("parent_end_time"):
        return False
    return row.parent_end_time.ToMilliseconds() + child_release.unasked_ms(view, row) <= view.now_ms
