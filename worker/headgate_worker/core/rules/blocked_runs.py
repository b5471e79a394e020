"""Waiting for parents: a blocked run costs nothing while its parent runs; then it is adopted or started.

Upstream starts a child itself when its parent ends (seen once, in a second public transcript), so the child is read
first, and started only if it is still NotRun after a grace.
"""

from __future__ import annotations

from headgate import pb
from headgate.job.lifecycle import RUN_TERMINAL
from headgate_worker.core.facts import child_release
from headgate_worker.core.facts.job_kinds import may_start
from headgate_worker.core.model.calls import GetInstance, StartInstances
from headgate_worker.core.model.steps import Act, run_with, runs_changed, timestamp
from headgate_worker.core.model.view import View

Look = tuple[int, Act]
"""Something to be done, and from when on."""


def look(view: View, run: pb.InstanceRun, parent: pb.InstanceRun | None) -> Look | None:
    """What is to be done for a blocked run; None while its parent runs. A parent outside of the job is None too.

    A parent that has ended, and that upstream waits for all the same, is read: a person may have run it again.
    """
    if parent is not None and parent.state not in RUN_TERMINAL:
        return None
    poll_at_ms = view.hints.poll_at_ms.get(run.index, 0)
    if run.HasField("parent_end_time"):
        return _released(view, run)
    if parent is None or run.index in view.hints.parents_doubted:
        return poll_at_ms, Act(call=GetInstance(run.blocked_by_id), subject=run.index)
    row = run_with(run, parent_end_time=timestamp(view.now_ms))
    return 0, Act((runs_changed(row, message="its parent has ended"),), _get(run), run.index)


def _get(run: pb.InstanceRun) -> GetInstance:
    return GetInstance(run.workflow_instance_id)


def _released(view: View, run: pb.InstanceRun) -> Look:
    """Read a child whose parent has ended; start it once it was read NotRun after the grace."""
    poll_at_ms = view.hints.poll_at_ms.get(run.index, 0)
    if not may_start(view) or view.job.state != pb.JOB_STATE_RUNNING:
        return poll_at_ms, Act(call=_get(run), subject=run.index)
    probe_at_ms = run.parent_end_time.ToMilliseconds() + child_release.grace_ms(view, run)
    idle_at_ms = view.hints.idle_at_ms.get(run.index, 0)
    if idle_at_ms >= probe_at_ms and view.now_ms - idle_at_ms <= view.policy.poll_max_ms:
        return view.now_ms, Act(call=StartInstances((run.workflow_instance_id,)))
    at_ms = min(poll_at_ms, probe_at_ms) if idle_at_ms < probe_at_ms else poll_at_ms
    return at_ms, Act(call=_get(run), subject=run.index)
