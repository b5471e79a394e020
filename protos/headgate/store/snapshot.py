"""How the store keeps a job beside its log: as a snapshot, but none where the log's first event already holds the job.

A job that was not changed since it was accepted is in that event, byte for byte, and of most jobs in a long queue
there is nothing else to say. Where there is no snapshot, the job is that of the first event.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate import pb


def to_keep(job: pb.Job, revision: int, events: Sequence[bytes], body: bytes = b"") -> bytes:
    """The snapshot that a change brings; empty when what is kept, or the first event, says the same.

    Args:
        job: the job after the events.
        revision: the revision before them; 0 for a new job.
        events: the new events as bytes; none when only timing changes.
        body: the job as bytes, where they are there already.
    """
    if not events:
        return b""
    body = body or job.SerializeToString()
    return b"" if revision == 0 and len(events) == 1 and body in events[0] else body


def job_of(snapshot: bytes | None, first: bytes | None) -> pb.Job | None:
    """The job as it stands; `first` is the first event of its log, and asked only when there is no snapshot."""
    if snapshot:
        return pb.Job.FromString(snapshot)
    return pb.JobEvent.FromString(first).job if first else None


def body_of(first: bytes) -> bytes:
    """The Job as bytes that the first event of a log holds."""
    return pb.JobEvent.FromString(first).job.SerializeToString()
