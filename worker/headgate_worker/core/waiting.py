"""Waiting for parents: a blocked run costs nothing while its parent runs; then it is adopted or started.

Upstream starts a child itself when its parent ends (seen once, in a second public transcript), so the child is read
first, and started only if it is still NotRun after a grace.
"""

from __future__ import annotations

from headgate import pb
from headgate.lifecycle import RUN_TERMINAL
from headgate_worker.core import pacing
from headgate_worker.core.calls import GetInstance, StartInstances
from headgate_worker.core.kinds import may_start
from headgate_worker.core.steps import Act, run_with, runs_changed, timestamp
from headgate_worker.core.view import View

Look = tuple[int, Act]
"""Something to be done, and from when on."""


def look(view: View, run: pb.InstanceRun, parent: pb.InstanceRun | None) -> Look | None:
    """What is to be done for a blocked run; None while its parent runs. A parent outside of the job is None too."""
    if parent is not None and parent.state not in RUN_TERMINAL:
        return None
    poll_at_ms = view.hints.poll_at_ms.get(run.index, 0)
    own = GetInstance(run.workflow_instance_id)
    if run.HasField("parent_end_time"):
        probe_at_ms = _probe_at_ms(view, run)
        if probe_at_ms is not None and (probe_at_ms <= poll_at_ms or probe_at_ms <= view.now_ms):
            return probe_at_ms, Act(call=StartInstances((run.workflow_instance_id,)))
        return poll_at_ms, Act(call=own, subject=run.index)
    if parent is None:
        return poll_at_ms, Act(call=GetInstance(run.blocked_by_id), subject=run.index)
    row = run_with(run, parent_end_time=timestamp(view.now_ms))
    return 0, Act((runs_changed(row, message="its parent has ended"),), own, run.index)


def _probe_at_ms(view: View, run: pb.InstanceRun) -> int | None:
    """When the run is started if upstream has not done so; None where that is not this job's to do."""
    if not may_start(view) or view.job.state != pb.JOB_STATE_RUNNING:
        return None
    return run.parent_end_time.ToMilliseconds() + pacing.adopt_grace_ms(view)
