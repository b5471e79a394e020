"""Entries of the feed, as commits write them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from headgate import pb
from headgate.job import event_log

FeedId = tuple[int, int]
"""Id of an entry: when it was written, ms by the store's clock, and a number within that ms."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry of the feed; revision 0 says that the job was deleted.

    Args:
        event: the event as the feed shows it.
        whole: digest of the whole event, where it has payloads that the feed does not show; else empty.
    """

    id: FeedId
    job_id: str
    revision: int
    event: bytes
    whole: str = ""

    @property
    def incarnation(self) -> str:
        """Digest of the whole event."""
        return self.whole or event_log.incarnation(self.event)


def event_of(entry: FeedEntry) -> pb.JobEvent | None:
    """The event of an entry, parsed; None where it can't be read."""
    try:
        event = pb.JobEvent.FromString(entry.event)
    except DecodeError:
        return None
    return event if event.revision == entry.revision else None


def without_event(entry: FeedEntry) -> FeedEntry:
    """What stands in the place of an entry that can't be read: its place in the feed and nothing else."""
    return FeedEntry(entry.id, "", 0, b"")


def id_of(raw: bytes) -> FeedId:
    """An id as Redis writes it."""
    ms, _, number = raw.partition(b"-")
    return int(ms), int(number)


def entry_of(row: Sequence[Any]) -> FeedEntry:
    """A row of Redis' answer as an entry; one that is not as commits write it has no event."""
    fields = row[1]
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    try:
        whole = found.get(b"d", b"").decode()
        return FeedEntry(id_of(row[0]), found[b"i"].decode(), int(found[b"r"]), found[b"e"], whole)
    except (KeyError, ValueError):
        return FeedEntry(id_of(row[0]), "", 0, b"")
