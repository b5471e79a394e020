"""Decide what a watcher is to be sent next: the pure core of watching.

A cursor says which revision was sent last and which history it belonged to. Whatever comes, from the log or as a hint
from the feed, is judged against it. The feed may lose, repeat or delay what it likes: only contiguous revisions are
ever sent, and every look into the log checks that the event sent last still stands there unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.jobs import LogPage

ANY_TYPE: Final[frozenset[pb.EventType.ValueType]] = frozenset()
"""No kind of event is meant more than others. One object for all: each empty set that is made takes 216 bytes."""


@dataclass(frozen=True, slots=True)
class Hint:
    """An event as the feed shows it, made ready to be sent.

    Args:
        revision: its revision.
        incarnation: its digest.
        type: what kind of event it is.
        terminal: whether the job is terminal after it.
        message: the whole WatchJobResponse as bytes; empty where the feed does not show all of the event.
    """

    revision: int
    incarnation: str
    type: pb.EventType.ValueType
    terminal: bool
    message: bytes


@dataclass(frozen=True, slots=True)
class WatchSpec:
    """What a watcher asked for.

    Args:
        job_id: whose job.
        start_revision: first revision wanted; 0 for a snapshot first.
        latest_only: snapshots of the newest state instead of every event.
        progress_seconds: longest silence.
        types: kinds of events wanted; empty means all.
        incarnation: digest of the event before `start_revision`; empty for no check.
        uid: of the job that is meant, whose id may be another one's by now; empty for whichever has the id.
    """

    job_id: str
    start_revision: int = 0
    latest_only: bool = False
    progress_seconds: float = 15.0
    types: frozenset[pb.EventType.ValueType] = ANY_TYPE
    incarnation: str = ""
    uid: str = ""

    def is_of_another_life(self, page: LogPage) -> bool:
        """Whether a page is of another job than the one that is meant."""
        return bool(self.uid and page.uid) and self.uid != page.uid

    @property
    def name(self) -> str:
        """Resource name of the job."""
        return keys.job_name(self.job_id)


class Verdict(Enum):
    """What to do with a hint."""

    NEXT = auto()
    """Send it."""
    DUPLICATE = auto()
    """Drop it: it was sent before."""
    GAP = auto()
    """Read the log: something is missing, or the past has changed."""


@dataclass(slots=True)
class Cursor:
    """Where a watcher stands.

    Args:
        sent: every revision up to this one was sent; 0 is before the first.
        incarnation: digest of the event at `sent`; empty when it is not known.
        terminal: whether the job was terminal at `sent`.
    """

    sent: int
    incarnation: str = ""
    terminal: bool = False

    def classify(self, hint: Hint) -> Verdict:
        """What to do with a hint."""
        if hint.revision == self.sent + 1:
            return Verdict.NEXT
        if hint.revision > self.sent or (hint.revision == self.sent and hint.incarnation != self.incarnation):
            return Verdict.GAP
        return Verdict.DUPLICATE

    def first_wanted(self) -> int:
        """The first revision to read: the one sent last, to check it, and then what follows."""
        return max(1, self.sent)

    def lost_by(self, page: LogPage) -> bool:
        """Whether the log does not have any more what was sent from it. Learns the incarnation where it was unknown."""
        if self.sent == 0:
            return False
        if page.revision < self.sent or page.first > self.sent or not page.events:
            return True
        found = event_log.incarnation(page.events[self.sent - page.first])
        known, self.incarnation = self.incarnation or found, found
        return known != found

    def unsent(self, page: LogPage) -> tuple[bytes, ...]:
        """The events of a page that are still to be sent, as far as they can be read."""
        return page.readable(self.sent + 1)

    def advance(self, revision: int, incarnation: str, *, terminal: bool) -> None:
        """Note what has been sent."""
        self.sent, self.incarnation, self.terminal = revision, incarnation, terminal

    def settle(self, page: LogPage) -> None:
        """Learn from a page that was sent to its end whether the job ended there."""
        if self.sent == page.revision:
            self.terminal = page.state in JOB_TERMINAL


def check_start(start_revision: int, page: LogPage) -> None:
    """Refuse a start that the log can't serve. 0 and the revision after the last are always fine.

    Raises:
        Refused: REVISION_FUTURE or REVISION_COMPACTED, with the numbers in the metadata.
    """
    if start_revision > page.revision + 1:
        metadata = {"current_revision": str(page.revision)}
        message = f"the job is at revision {page.revision}; it can be watched from {page.revision + 1} at the latest"
        raise Refused(Reason.REVISION_FUTURE, message, metadata=metadata)
    if 0 < start_revision < page.kept_from:
        metadata = {"compact_revision": str(page.kept_from), "current_revision": str(page.revision)}
        raise Refused(Reason.REVISION_COMPACTED, f"the log begins at revision {page.kept_from}", metadata=metadata)
