"""The store as notifications need it: the feed, jobs as events found them, positions, and who leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headgate import pb
from headgate.messages.feed_entries import FeedEntry, FeedId


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Entries of the feed after a position.

    Args:
        entries: in the feed's order.
        is_whole: whether the feed still reaches back to the position, so that nothing between is missing.
    """

    entries: tuple[FeedEntry, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class JobAtEvent:
    """The job of an event.

    Args:
        job: as it stands now, without payloads; the caller's own.
        before: its state before the event; UNSPECIFIED before the first one.
    """

    job: pb.Job
    before: pb.JobState.ValueType


class NotificationStore(Protocol):
    """Port: the feed, and what is kept of notifications."""

    async def lead(self, owner: str, lease_ms: int) -> int | None:
        """Lead, or go on leading, for a lease; the fence, or None while another worker leads. 0 ms end the lease."""

    async def tip(self) -> FeedId:
        """Id of the newest entry of the feed; zero when it is empty."""

    async def read(self, after: FeedId, count: int) -> FeedPage:
        """At most `count` entries after an id."""

    async def jobs_at(self, entries: Sequence[FeedEntry]) -> Sequence[JobAtEvent | None]:
        """For each entry its job; None where that life of the job is gone, or can't be read."""

    async def positions(self) -> Mapping[str, FeedId]:
        """By endpoint: the last entry up to which everything is delivered or dropped."""

    async def move(self, owner: str, fence: int, positions: Mapping[str, FeedId]) -> bool:
        """Keep positions; False, and nothing is changed, when another worker leads."""
