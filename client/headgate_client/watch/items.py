"""What a watch yields: one frozen value per message that concerns the caller.

`revision` is always the revision up to which everything has been yielded.
"""

from dataclasses import dataclass

from headgate import pb


@dataclass(frozen=True, slots=True)
class SnapshotItem:
    """The job as it stands.

    Args:
        revision: revision of its last event.
        job: the job.
        reset: whether it replaces everything that was yielded before, because the store lost or trimmed
        history.
    """

    revision: int
    job: pb.Job
    reset: bool = False


@dataclass(frozen=True, slots=True)
class EventItem:
    """One event of the log."""

    revision: int
    event: pb.JobEvent


@dataclass(frozen=True, slots=True)
class ProgressItem:
    """A sign of life."""

    revision: int
    progress: pb.Progress


@dataclass(frozen=True, slots=True)
class EndItem:
    """The last item: the job has ended or was deleted."""

    revision: int
    end: pb.StreamEnd


WatchItem = SnapshotItem | EventItem | ProgressItem | EndItem
"""One item of a watch."""
