"""For how long the reads of a job serve the watchers of its instances, so that no server reads them besides. Pure."""

from __future__ import annotations

from typing import Final

from headgate import pb
from headgate.job.lifecycle import is_terminal
from headgate_worker.core.model.view import Hints

MARGIN_MS: Final = 2_000
"""How late the job's next read may be before watchers have the instance read for themselves."""

RELEASED_MS: Final = 1
"""The job does not read the instance again."""

UNTOUCHED_MS: Final = 0
"""Whether the job reads the instance again does not follow from this read."""


def follow_ms(job: pb.Job, hints: Hints, subject: int, seen: pb.WorkflowInstance | pb.FlowInstance, now_ms: int) -> int:
    """For how many ms from a read on the next one is left to the job that made it.

    Args:
        job: as it stands after the read.
        hints: as they stand then; they say when each run is read next.
        subject: index of the run that was read for.
        seen: what was read: the run's own instance, or the parent it waits for.
        now_ms: the store's clock.
    """
    if is_terminal(job):
        return RELEASED_MS
    if not 0 <= subject < len(job.runs) or not _is_about(job.runs[subject], seen):
        return UNTOUCHED_MS
    at_ms = hints.poll_at_ms.get(subject, 0)
    return max(RELEASED_MS, at_ms - now_ms + MARGIN_MS) if at_ms else RELEASED_MS


def _is_about(run: pb.InstanceRun, seen: pb.WorkflowInstance | pb.FlowInstance) -> bool:
    if isinstance(seen, pb.FlowInstance):
        return seen.instance_id == run.flow_instance_id
    return seen.id in (run.workflow_instance_id, run.blocked_by_id)
