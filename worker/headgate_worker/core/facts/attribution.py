"""Who started and who stopped a run. What the evidence does not settle stays unspecified: right, or absent.

Upstream names neither. Evidence of a start is what this job asked for and what it was answered, and when a child began
against when its parent ended. Evidence of a stop is the job's own stop, the stops that are on record for the instance
(`stop_records`), and upstream's ModifyUser where it changed with the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headgate import pb
from headgate.job.lifecycle import RUN_FRONTIER
from headgate_worker.core.facts import child_release, poll_schedule
from headgate_worker.core.facts.job_kinds import expected_parent, may_start, starts_itself
from headgate_worker.core.facts.runs import NOBODY, THIS_JOB, Stopper, by_instance
from headgate_worker.core.model.calls import StopRecord
from headgate_worker.core.model.view import Hints, View

_FIRST: Final = frozenset({pb.STARTED_BY_HEADGATE, pb.STARTED_BY_UPSTREAM})
"""Who starts an instance once only."""

SETTLES_MS: Final = 60_000
"""How long before the end of a run a person's stop may have shown in ModifyUser."""


def starter(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance) -> pb.StartedBy.ValueType:
    """Who started what was read to have begun, where no start of this job was accepted.

    A start whose reply was lost, or whose worker died, may have been executed: who started the run is then not known.
    """
    if run.state == pb.RUN_STATE_BLOCKED:
        return _released_by(view, run, seen)
    if starts_itself(view):
        return _started_at_once(view, seen)
    runs = seen.status != pb.WORKFLOW_INSTANCE_STATUS_FAILURE
    if view.kind == "backfill" and runs and _is_foreign(seen):
        return pb.STARTED_BY_OPERATOR
    is_placed = run.index < len(view.runs) and view.runs[run.index].workflow_instance_id
    if view.kind == "create" and is_placed and expected_parent(view.job, run) is None:
        return pb.STARTED_BY_OPERATOR
    return pb.STARTED_BY_UNSPECIFIED


def _started_at_once(view: View, seen: pb.WorkflowInstance) -> pb.StartedBy.ValueType:
    """Who started what upstream was to start: it itself, unless so late that this job may have asked again."""
    late_ms = seen.started_time.ToMilliseconds() - seen.create_time.ToMilliseconds()
    may_be_ours = may_start(view) and late_ms > poll_schedule.adopt_grace_ms(view)
    return pb.STARTED_BY_UNSPECIFIED if may_be_ours else pb.STARTED_BY_UPSTREAM


def _released_by(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance) -> pb.StartedBy.ValueType:
    """Who started a child: upstream within the grace after its parent's end, in which this job starts none itself."""
    parent = by_instance(view.job).get(run.blocked_by_id)
    if parent is not None and parent.HasField("finished_time"):
        ended_ms = parent.finished_time.ToMilliseconds()
    else:
        ended_ms = run.parent_end_time.ToMilliseconds()
    if not ended_ms or not seen.HasField("started_time"):
        return pb.STARTED_BY_UNSPECIFIED
    began_ms = seen.started_time.ToMilliseconds()
    if parent is not None and began_ms < ended_ms:
        # Unless a person has run the parent again: the end of a run before may have released the child.
        once = parent.started_by in _FIRST or parent.started_time.ToMilliseconds() <= began_ms
        return pb.STARTED_BY_OPERATOR if once else pb.STARTED_BY_UNSPECIFIED
    in_time = began_ms <= ended_ms + child_release.unasked_ms(view, run)
    return pb.STARTED_BY_UPSTREAM if in_time and not _is_foreign(seen) else pb.STARTED_BY_UNSPECIFIED


def _is_foreign(seen: pb.WorkflowInstance) -> bool:
    """Whether another account than its creator's changed the instance last."""
    return bool(seen.create_user and seen.modify_user) and seen.create_user != seen.modify_user


def stopper(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance, stops: Sequence[StopRecord] = ()) -> Stopper:
    """Who stopped a run whose instance was read as a Failure; `runs.NOBODY` where it has failed, or may have."""
    own_ms = run.stop_time.ToMilliseconds()
    if own_ms and not _began_after(view, seen, own_ms):
        return THIS_JOB
    fitting = [one for one in stops if _fits(view, seen, one)]
    if any(one.job == view.job.name for one in fitting) or _by_older_worker(view, run, stops):
        return THIS_JOB
    if fitting:
        return Stopper(pb.STOPPED_BY_ANOTHER_JOB, min(fitting, key=lambda one: one.sent_ms).job)
    return Stopper(pb.STOPPED_BY_OPERATOR) if _was_touched(view, run, seen) else NOBODY


def _fits(view: View, seen: pb.WorkflowInstance, stop: StopRecord) -> bool:
    """Whether a stop reached the run that was read; one without an answer may have done so as late as a start may."""
    latest_ms = stop.sent_ms + (0 if stop.accepted else view.policy.start_grace_ms)
    return not _began_after(view, seen, latest_ms) and not _ended_before(view, seen, stop.sent_ms)


def _by_older_worker(view: View, run: pb.InstanceRun, stops: Sequence[StopRecord]) -> bool:
    """Whether a stop of this job was sent without an answer, by a worker of a version that records none."""
    return run.index in view.hints.stops_lost and all(one.job != view.job.name for one in stops)


def _began_after(view: View, seen: pb.WorkflowInstance, at_ms: int) -> bool:
    if not seen.HasField("started_time"):
        return False
    began_ms: int = seen.started_time.ToMilliseconds()
    return began_ms > at_ms + view.policy.clock_error_ms


def _ended_before(view: View, seen: pb.WorkflowInstance, at_ms: int) -> bool:
    if not seen.HasField("finished_time"):
        return False
    ended_ms: int = seen.finished_time.ToMilliseconds()
    return ended_ms < at_ms - view.policy.clock_error_ms


def _was_touched(view: View, run: pb.InstanceRun, seen: pb.WorkflowInstance) -> bool:
    """Whether ModifyUser changed with the end: since the last read of the run, or as long before as a stop settles."""
    if run.state not in RUN_FRONTIER or not (run.started_by or run.state == pb.RUN_STATE_RUNNING):
        return False
    made = seen.create_user if run.operation_index >= 0 else ""
    before, since_ms = view.hints.modify_users.get(run.index, (made, 0))
    if not before or not seen.modify_user:
        return False
    settles = made and before != made and _ended_by(view, seen, since_ms + SETTLES_MS)
    return before != seen.modify_user or (bool(settles) and run.started_by != pb.STARTED_BY_OPERATOR)


def _ended_by(view: View, seen: pb.WorkflowInstance, at_ms: int) -> bool:
    ended_ms = seen.finished_time.ToMilliseconds() or view.now_ms
    return ended_ms <= at_ms


def noted(run: pb.InstanceRun, seen: pb.WorkflowInstance, known_ms: int, hints: Hints) -> Hints:
    """The hints with the ModifyUser of what runs, where it is not its creator."""
    if run.state != pb.RUN_STATE_RUNNING or not seen.modify_user:
        return hints
    known = hints.modify_users.get(run.index)
    telling = _is_foreign(seen) or run.operation_index < 0 or known
    if not telling or (known and known[0] == seen.modify_user):
        return hints
    return hints.modified(run.index, seen.modify_user, known_ms)
