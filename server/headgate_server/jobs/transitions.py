"""Decide what cancel, pause and resume do to a job. Pure.

Each answers with the event that is to be recorded, or with None where the job is in that state already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.reasons import Reason
from headgate.store import date_claims
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.clock import timestamp

Decision = Callable[[pb.Job, Any, str, int], pb.JobEvent | None]
"""From the job, the request, the caller's name and the time in ms by the store's clock."""

_PAUSABLE: Final = frozenset({pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING})


def check_etag(job: pb.Job, etag: str) -> None:
    """Refuse a write that was decided on an older state of the job.

    Raises:
        Refused: ETAG_MISMATCH.
    """
    if etag and etag != job.etag:
        metadata = {"job": job.name, "current_etag": job.etag, "current_revision": str(job.revision)}
        raise Refused(Reason.ETAG_MISMATCH, f"{job.name} has changed since that etag", metadata=metadata)


def cancel(job: pb.Job, request: pb.CancelJobRequest, caller: str, now_ms: int) -> pb.JobEvent | None:
    """Ask for the end of a job."""
    if job.state in JOB_TERMINAL or job.state == pb.JOB_STATE_CANCELLING:
        return None
    event = event_for(job, pb.EVENT_TYPE_CANCEL_REQUESTED, pb.JOB_STATE_CANCELLING, caller, now_ms)
    event.cancel.actor = caller
    event.cancel.reason = request.reason
    event.cancel.mode = request.mode or pb.CANCEL_MODE_STOP
    event.cancel.request_time.CopyFrom(event.event_time)
    event.message = f"cancel asked for: {request.reason}" if request.reason else "cancel asked for"
    return event


def pause(job: pb.Job, request: pb.PauseJobRequest, caller: str, now_ms: int) -> pb.JobEvent | None:
    """Stop a job from starting anything new.

    Raises:
        Refused: STATE_CONFLICT.
    """
    if job.state == pb.JOB_STATE_PAUSED:
        return None
    if job.state not in _PAUSABLE:
        raise conflict(job, "can't be paused")
    event = event_for(job, pb.EVENT_TYPE_PAUSE_REQUESTED, pb.JOB_STATE_PAUSED, caller, now_ms)
    event.message = f"pause asked for: {request.reason}" if request.reason else "pause asked for"
    return event


def resume(job: pb.Job, request: pb.ResumeJobRequest, caller: str, now_ms: int) -> pb.JobEvent | None:
    """Let a paused job go on; one that waits in line for its dates goes on waiting.

    Raises:
        Refused: STATE_CONFLICT.
    """
    if job.state != pb.JOB_STATE_PAUSED:
        raise conflict(job, "is not paused")
    state = pb.JOB_STATE_QUEUED if date_claims.waits(job) else pb.JOB_STATE_RUNNING
    event = event_for(job, pb.EVENT_TYPE_RESUME_REQUESTED, state, caller, now_ms)
    event.message = "resume asked for"
    return event


def conflict(job: pb.Job, what: str) -> Refused:
    """STATE_CONFLICT for a job."""
    state = pb.JobState.Name(job.state).removeprefix("JOB_STATE_")
    metadata = {"job": job.name, "state": state}
    return Refused(Reason.STATE_CONFLICT, f"{job.name} is {state} and {what}", metadata=metadata)


def event_for(
    job: pb.Job, kind: pb.EventType.ValueType, state: pb.JobState.ValueType, caller: str, now_ms: int
) -> pb.JobEvent:
    """An event of a caller that follows a job."""
    time = timestamp(now_ms)
    return pb.JobEvent(revision=job.revision + 1, type=kind, event_time=time, state=state, actor=caller)
