"""Rows of the store as values: what Redis answered about a job and its log, or that it can't be read. Pure.

Nothing here trusts a row: one that is not as our scripts write it raises JobDamaged for its job alone, so that a
read of many jobs goes on without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from google.protobuf.message import DecodeError

from headgate import pb
from headgate.store import keys, lives, snapshot
from headgate.store.lives import Life
from headgate_server.errors.exceptions import JobDamaged
from headgate_server.ports import message_bytes
from headgate_server.ports.jobs import LogPage, StoredJob

COLUMNS: Final = ("rev", "st", "uid", "bad", "snap", "reads", "writes", "throttled", "waited")
"""What is read of a job's hash; `bad` says that workers have given it up since they can't read it."""

LOG_COLUMNS: Final = COLUMNS[:4]
"""The same for a part of its log alone."""

MOST_NUMBER: Final = 2**63 - 1

_REV, _ST, _UID, _BAD, _SNAP, _COUNTERS = 0, 1, 2, 3, 4, slice(5, 9)


class _reading:  # noqa: N801 - it is used as a phrase: with _reading(job_id)
    """Whatever goes wrong while a row is read is damage of its job. A class, since each read goes through here."""

    __slots__ = ("_columns", "_job_id")

    def __init__(self, job_id: str, columns: Sequence[Any] = (None, None, None)) -> None:
        self._job_id = job_id
        self._columns = columns

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DecodeError | ValueError | TypeError | IndexError):
            seen = (self._columns[_REV] or b"", self._columns[_UID] or b"")
            raise JobDamaged(self._job_id, seen=seen) from error


def stored(job_id: str, row: Sequence[Any]) -> StoredJob | None:
    """A job from its columns, the first event of its log where it has no snapshot, and whether its key is there at all.

    Returns:
        None where there is no such job.

    Raises:
        JobDamaged: it can't be read.
    """
    *columns, first, exists = row
    if columns[_REV] is None and not exists:
        return None
    with _reading(job_id, columns):
        revision, body = int(columns[_REV]), _body(columns, first)
        return StoredJob(revision, body, _job(job_id, columns, body))


def life(job_id: str, raw: Sequence[bytes | None]) -> Life | None:
    """Which life a job id has now; None when there is no such job.

    Raises:
        JobDamaged: that can't be read.
    """
    with _reading(job_id):
        return lives.parse(raw)


def page(job_id: str, raw: Sequence[Any], first: int, *, with_job: bool) -> LogPage | None:
    """A part of a log, from the columns of its job, the log's length, the part and the log's last event.

    Returns:
        None where there is no such job.

    Raises:
        JobDamaged: its job can't be read; of its events, those that can't are named in the page.
    """
    columns, length, events, last, exists = raw
    if columns[_REV] is None and not exists:
        return None
    with _reading(job_id, columns):
        revision = int(columns[_REV])
        if not length:
            raise ValueError("its log is gone")
        end = last[0] if last else b""
        body = _body(columns, end) if with_job else b""  # without a snapshot the last event is the first one
        if with_job:
            _job(job_id, columns, body)
        return LogPage(
            revision,
            pb.JobState.ValueType(int(columns[_ST] or 0)),
            max(1, revision - length + 1),
            first,
            tuple(events),
            end,
            body,
            (columns[_UID] or b"").decode(),
            _unreadable(first, events),
            columns[_BAD] is not None,
        )


def _job(job_id: str, columns: Sequence[Any], body: bytes) -> pb.Job:
    job = pb.Job.FromString(body)
    if job.name != keys.job_name(job_id):
        raise ValueError("another job's")
    if columns[_BAD] is not None:
        raise ValueError("given up by the workers")
    return job


def _body(columns: Sequence[Any], first: bytes | None) -> bytes:
    reads, writes, throttled, waited_ms = (int(value or 0) for value in columns[_COUNTERS])
    body = columns[_SNAP] or snapshot.body_of(first or b"")
    return message_bytes.with_usage(body, reads=reads, writes=writes, throttled=throttled, waited_ms=waited_ms)


def _unreadable(first: int, events: Sequence[bytes]) -> tuple[int, ...]:
    """Revisions whose events are none. All are parsed with one call: one by one they would cost twice as much."""
    try:
        parsed = pb.ListJobEventsResponse.FromString(
            message_bytes.events_page(events, next_revision=0, end=False)
        ).job_events
        if [event.revision for event in parsed] == list(range(first, first + len(events))):
            return ()
    except DecodeError:
        pass
    return tuple(first + at for at, body in enumerate(events) if not is_event(body, first + at))


def is_event(body: bytes, revision: int) -> bool:
    """Whether bytes are the event of that revision."""
    try:
        return bool(pb.JobEvent.FromString(body).revision == revision)
    except DecodeError:
        return False


def indexed(raw: Sequence[bytes]) -> list[tuple[str, int]]:
    """Members of a sorted set of jobs with their scores, as Redis answers them; what is no id becomes one of no job."""
    return [(keys.text(raw[at]), _number(raw[at + 1])) for at in range(0, len(raw), 2)]


def _number(score: bytes) -> int:
    found = float(score)
    return max(0, int(min(found, 2.0**62)))


def count(value: Any) -> int:
    """A number that the store keeps; 0 where it is none."""
    try:
        return max(0, min(int(value or 0), MOST_NUMBER))
    except ValueError:
        return 0
