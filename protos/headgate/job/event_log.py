"""The log of a job: how events make a job, and nothing else does.

A job is the fold of its events. `Job` messages are values here: only `fold` makes a changed one, and it
never changes the one it was given. A whole log is folded by `advance` in one job of its owner's, which costs what each
event changes and no copy of the job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.job import job_update
from headgate.job.lifecycle import JOB_TERMINAL, check_transition


class BrokenLog(ValueError):
    """Events that can't follow each other: a gap, a repeat, a second ACCEPTED, or a log that begins otherwise."""


_NOT_BEGUN: Final = frozenset(
    {pb.JOB_STATE_QUEUED, pb.JOB_STATE_PAUSED, pb.JOB_STATE_CANCELLING, pb.JOB_STATE_CANCELLED}
)
"""States that a job may come to without a worker having looked at it."""

_COUNTED_AS: Final[Mapping[pb.RunState.ValueType, str]] = {
    pb.RUN_STATE_PLANNED: "waiting",
    pb.RUN_STATE_CREATING: "waiting",
    pb.RUN_STATE_CREATED: "waiting",
    pb.RUN_STATE_BLOCKED: "blocked",
    pb.RUN_STATE_STARTING: "running",
    pb.RUN_STATE_RUNNING: "running",
    pb.RUN_STATE_SUCCEEDED: "succeeded",
    pb.RUN_STATE_FAILED: "failed",
    pb.RUN_STATE_UNRESOLVED: "failed",
    pb.RUN_STATE_STOPPED: "stopped",
    pb.RUN_STATE_SKIPPED: "skipped",
}


def count_runs(runs: Iterable[pb.InstanceRun]) -> pb.RunCounts:
    """How many runs stand where."""
    counts = pb.RunCounts()
    _write_counts(counts, runs)
    return counts


def _write_counts(counts: pb.RunCounts, runs: Iterable[pb.InstanceRun]) -> None:
    by_state: dict[pb.RunState.ValueType, int] = {}
    for run in runs:
        state = run.state
        by_state[state] = by_state.get(state, 0) + 1
    counts.total = sum(by_state.values())
    for state, count in by_state.items():
        column = _COUNTED_AS.get(state)
        if column is not None:
            setattr(counts, column, getattr(counts, column) + count)


def etag(revision: int, uid: str) -> str:
    """The etag of a job at a revision: opaque to callers, changes with every event."""
    return hashlib.blake2b(f"{uid}:{revision}".encode(), digest_size=8).hexdigest()


def incarnation(event: bytes) -> str:
    """Which history an event belongs to: 16 hex digits of its serialised bytes.

    Two stores that disagree on the event at a revision disagree on this, so that a watch that continues from that
    revision ends with HISTORY_LOST instead of showing a second event under an old number.
    """
    return hashlib.blake2b(event, digest_size=8).hexdigest()


def fold(job: pb.Job | None, event: pb.JobEvent) -> pb.Job:
    """The job after `event`; `job` is None before the first one and is not changed.

    Raises:
        BrokenLog: the event does not follow the job's revision.
        IllegalTransition: the life cycle does not allow the event's state.
    """
    if job is None:
        return _accept(event)
    _check(job, event)
    after = pb.Job()
    after.CopyFrom(job)
    _apply(after, event)
    return after


def advance(job: pb.Job, event: pb.JobEvent) -> None:
    """Make a job, which is the caller's own to change, what `fold` makes of it and the event.

    Raises:
        BrokenLog: as `fold`; the job is of no more use then.
        IllegalTransition: as `fold`.
    """
    _check(job, event)
    _apply(job, event)


def _check(job: pb.Job, event: pb.JobEvent) -> None:
    if event.revision != job.revision + 1:
        raise BrokenLog(f"event {event.revision} can't follow revision {job.revision} of {job.name}")
    if event.type == pb.EVENT_TYPE_ACCEPTED:
        raise BrokenLog(f"a second ACCEPTED at revision {event.revision} of {job.name}")
    check_transition(job.state, event.state)


def _apply(job: pb.Job, event: pb.JobEvent) -> None:
    _apply_rows(job, event)
    _apply_state(job, event)
    job.revision = event.revision
    job.etag = etag(job.revision, job.uid)


def replay(events: Iterable[pb.JobEvent]) -> pb.Job:
    """The job that a whole log makes.

    Raises:
        BrokenLog: the log is empty, has a gap or begins elsewhere.
        IllegalTransition: the life cycle does not allow an event's state.
    """
    job: pb.Job | None = None
    for event in events:
        if job is None:
            job = _accept(event)
        else:
            advance(job, event)
    if job is None:
        raise BrokenLog("an empty log makes no job")
    return job


def begin(event: pb.JobEvent) -> None:
    """Make the job in the first event of a log, which is the caller's own to change, what `fold` makes of it.

    Raises:
        BrokenLog: it is no first event.
    """
    if event.type != pb.EVENT_TYPE_ACCEPTED or event.revision != 1:
        raise BrokenLog(f"a log begins with ACCEPTED at revision 1, not with revision {event.revision}")
    _begin(event.job, event)


def _accept(event: pb.JobEvent) -> pb.Job:
    own = pb.JobEvent()
    own.CopyFrom(event)
    begin(own)
    return own.job


def _begin(job: pb.Job, event: pb.JobEvent) -> None:
    job.state = event.state
    job.revision = 1
    job.etag = etag(1, job.uid)
    job.create_time.CopyFrom(event.event_time)
    job.update_time.CopyFrom(event.event_time)
    job.counts.Clear()
    _write_counts(job.counts, job.runs)


def _apply_rows(job: pb.Job, event: pb.JobEvent) -> None:
    for run in event.runs:
        _put_row(job.runs, run)
    for operation in event.operations:
        _put_row(job.operations, operation)
    if event.runs:
        job.counts.CopyFrom(count_runs(job.runs))
    if event.type == pb.EVENT_TYPE_SURVEYED:
        job.survey_time.CopyFrom(event.event_time)
    if event.HasField("cancel"):
        job.cancel.CopyFrom(event.cancel)
    if event.HasField("update"):
        job_update.apply(event.update, job)


def _put_row(rows, row) -> None:  # type: ignore[no-untyped-def]  # two repeated fields of different types share it
    if row.index > len(rows):
        raise BrokenLog(f"row {row.index} can't follow {len(rows)} rows")
    if row.index == len(rows):
        rows.add()
    rows[row.index].CopyFrom(row)


def _apply_state(job: pb.Job, event: pb.JobEvent) -> None:
    before = job.state
    job.state = event.state
    job.update_time.CopyFrom(event.event_time)
    if not job.HasField("start_time") and event.state not in _NOT_BEGUN:
        job.start_time.CopyFrom(event.event_time)
    if event.HasField("deadline_time"):
        job.deadline_time.CopyFrom(event.deadline_time)
    if event.state != before and event.state in JOB_TERMINAL:
        job.end_time.CopyFrom(event.event_time)
        job.expire_time.CopyFrom(_expire_time(job))
    if event.state != before and before in JOB_TERMINAL:
        job.ClearField("end_time")
        job.ClearField("expire_time")
        job.ClearField("cancel")  # what is run again was not cancelled
    _apply_error(job, event, changed=event.state != before)


def _apply_error(job: pb.Job, event: pb.JobEvent, *, changed: bool) -> None:
    if event.state in (pb.JOB_STATE_FAILED, pb.JOB_STATE_NEEDS_ATTENTION):
        if event.HasField("error"):
            job.error.CopyFrom(event.error)
    elif changed:
        job.ClearField("error")


def _expire_time(job: pb.Job) -> Timestamp:
    end = Timestamp()
    end.FromNanoseconds(job.end_time.ToNanoseconds() + job.ttl_after_end.ToNanoseconds())
    return end
