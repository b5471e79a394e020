"""The ends of jobs that can't go on, whatever their rules say."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.reasons import Reason
from headgate_worker.core.model import errors
from headgate_worker.ticks.tick import Tick


def log_full(bound: str) -> tuple[pb.JobEvent, ...]:
    """What ends a job whose log may not become longer."""
    said = f"its log has reached its bound ({bound}); what runs upstream runs on and is not followed any more"
    return _given_up(errors.status(Reason.LOG_FULL, said, bound=bound), said)


def too_large(tick: Tick) -> tuple[pb.JobEvent, ...]:
    """What ends a job whose record may not become larger."""
    said = f"its record has {tick.job.ByteSize():,} bytes; what runs upstream runs on and is not followed any more"
    return _given_up(errors.status(Reason.JOB_TOO_LARGE, said), said)


def poisoned(tick: Tick) -> tuple[pb.JobEvent, ...]:
    """What ends a job whose ticks break off again and again."""
    deaths = tick.taken.attempts - 1
    said = f"looking at the job broke off, or ended its worker, {deaths} times in a row"
    error = errors.status(Reason.JOB_POISONED, said, attempts=str(deaths))
    return _given_up(error, said)


def _given_up(error: Status, said: str) -> tuple[pb.JobEvent, ...]:
    state = pb.JOB_STATE_FAILED
    return (pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said),)
