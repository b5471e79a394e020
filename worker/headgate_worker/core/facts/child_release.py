"""How long a child is left to upstream after its parent's end, and what it shows of the connection in the end.

The wait is spent only while it is not known whether upstream begins the child: what is known not to be begun is started
as soon as it was read NotRun.
"""

from __future__ import annotations

from typing import Any, Final

from headgate import pb
from headgate.process.child_release import ReleaseEvidence, ReleaseFact
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.runs import by_instance
from headgate_worker.core.model.calls import GetInstance, Outcome, Reply, StartInstances
from headgate_worker.core.model.steps import Act
from headgate_worker.core.model.view import View

_ENDED: Final = frozenset({pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, pb.RUN_STATE_STOPPED})


def grace_ms(view: View, run: pb.InstanceRun) -> int:
    """How long a child may stay NotRun after its parent's end before it is started."""
    longest_ms = poll_schedule.adopt_grace_ms(view)
    parent = _parent(view, run)
    if view.job.backfill.HasField("adopt_grace") or parent is None:
        return longest_ms
    succeeded = parent.state == pb.RUN_STATE_SUCCEEDED
    return view.release.grace_ms(view.now_ms, succeeded=succeeded, longest_ms=longest_ms)


def unasked_ms(view: View, run: pb.InstanceRun) -> int:
    """For how long after its parent's end this job surely did not start a child; what is known may have changed."""
    parent = _parent(view, run)
    grace = grace_ms(view, run)
    fact = view.release.after(succeeded=parent.state == pb.RUN_STATE_SUCCEEDED) if parent is not None else None
    if fact is None or view.job.backfill.HasField("adopt_grace"):
        return grace
    is_news = fact.at_ms > run.parent_end_time.ToMilliseconds()
    return 0 if is_news or not fact.released else grace


def _parent(view: View, run: pb.InstanceRun) -> pb.InstanceRun | None:
    """The run of this job that the child waits for, once it has ended upstream."""
    if run.state != pb.RUN_STATE_BLOCKED:
        return None
    parent = by_instance(view.job).get(run.blocked_by_id)
    return parent if parent is not None and parent.state in _ENDED and parent.HasField("finished_time") else None


def evidence(view: View, act: Act, outcome: Outcome) -> ReleaseEvidence | None:
    """What an answer shows of when upstream begins children; `view` is that before the answer is taken in."""
    if not isinstance(outcome, Reply):
        return None
    if isinstance(act.call, StartInstances):
        return _of_start(view, act.call, outcome)
    if isinstance(act.call, GetInstance) and isinstance(outcome.body, pb.WorkflowInstance):
        return _of_read(view, by_instance(view.job).get(act.call.id), outcome.body)
    return None


def _of_read(view: View, run: pb.InstanceRun | None, seen: pb.WorkflowInstance) -> ReleaseEvidence | None:
    """A child that began soon after its parent's end, without a start of this job since, was begun by upstream."""
    parent = _parent(view, run) if run is not None else None
    if run is None or parent is None or not seen.HasField("started_time") or seen.modify_user != seen.create_user:
        return None
    lag_ms = seen.started_time.ToMilliseconds() - parent.finished_time.ToMilliseconds()
    asked_again = view.hints.starts.get(run.index, 0) > 1 or view.hints.failures
    if asked_again or not 0 <= lag_ms <= poll_schedule.adopt_grace_ms(view):
        return None
    fact = ReleaseFact(True, view.now_ms, view.job.name, seen.id)
    return ReleaseEvidence(parent.state == pb.RUN_STATE_SUCCEEDED, fact, lag_ms)


def _of_start(view: View, call: StartInstances, outcome: Reply[Any]) -> ReleaseEvidence | None:
    """A child that waited long enough for upstream, and was begun by the start that followed, was not begun by it."""
    run = by_instance(view.job).get(call.ids[0]) if len(call.ids) == 1 else None
    parent = _parent(view, run) if run is not None else None
    answers = outcome.body
    if run is None or parent is None or not isinstance(answers, dict) or not run.HasField("parent_end_time"):
        return None
    answer = answers.get(call.ids[0])
    waited_ms = view.hints.idle_at_ms.get(run.index, 0) - run.parent_end_time.ToMilliseconds()
    if answer is None or not answer.success or waited_ms < view.release.telling_ms:
        return None
    fact = ReleaseFact(False, view.now_ms, view.job.name, run.workflow_instance_id)
    return ReleaseEvidence(parent.state == pb.RUN_STATE_SUCCEEDED, fact)
