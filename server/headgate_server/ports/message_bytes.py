"""Messages put together from bytes that are there already, so that an event is serialised once, by its writer.

Pure. A test compares every splice with the library's own serialisation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from headgate import pb

_REVISION: Final = b"\x08"
_JOB: Final = b"\x12"
_SNAPSHOT: Final = b"\x1a"
_EVENT: Final = b"\x22"
_INCARNATION: Final = b"\x42"
_JOB_USAGE: Final = b"\xc2\x01"
_LISTED_EVENT: Final = b"\x0a"
"""Tags: field number and wire type, as the .proto says."""


def varint(value: int) -> bytes:
    """A number from 0 to 2^63 - 1 as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def event(name: bytes, revision: int, body: bytes, incarnation: bytes) -> bytes:
    """A WatchJobResponse with an event.

    Args:
        name: resource name of the job.
        revision: the event's revision, from 1.
        body: the JobEvent as bytes.
        incarnation: digest of the event.
    """
    return _response(name, revision, _EVENT, body, incarnation)


def snapshot(name: bytes, revision: int, body: bytes, incarnation: bytes) -> bytes:
    """A WatchJobResponse with a snapshot; `body` is the Job as bytes."""
    return _response(name, revision, _SNAPSHOT, body, incarnation)


def _response(name: bytes, revision: int, tag: bytes, body: bytes, incarnation: bytes) -> bytes:
    head = (_REVISION, varint(revision), _JOB, varint(len(name)), name)
    return b"".join((*head, tag, varint(len(body)), body, _INCARNATION, varint(len(incarnation)), incarnation))


def with_usage(job: bytes, *, reads: int, writes: int, throttled: int, waited_ms: int = 0) -> bytes:
    """A Job as bytes with its call counters, which the store keeps beside it.

    A later field of the same number is merged into an earlier one, so appending is enough.
    """
    if not (reads or writes or throttled or waited_ms):
        return job
    counted = pb.Usage(upstream_reads=reads, upstream_writes=writes, throttled=throttled)
    if waited_ms:
        counted.quota_wait.FromMilliseconds(waited_ms)
    usage = counted.SerializeToString()
    return b"".join((job, _JOB_USAGE, varint(len(usage)), usage))


def events_page(events: Iterable[bytes], *, next_revision: int, end: bool) -> bytes:
    """A ListJobEventsResponse."""
    tail = pb.ListJobEventsResponse(next_revision=next_revision, end=end).SerializeToString()
    return b"".join([*(_LISTED_EVENT + varint(len(body)) + body for body in events), tail])
