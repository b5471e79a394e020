"""The feed's past in Redis, and the walk over all active jobs: what a watch of all jobs begins with."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.messages.feed_entries import FeedEntry, FeedId, entry_of, event_of, id_of, without_event
from headgate.scripts import loader
from headgate.store import commit, keys
from headgate_redis.pipeline import Command, Pipeline
from headgate_redis.script import Script
from headgate_server.ports.feed import START, FeedPosition, position_of
from headgate_server.store.job_scripts import PACKAGE, NoArguments, NoKeys
from headgate_server.store.retry import retry_lost_reply
from headgate_server.store.stored_rows import indexed

_ACTIVE: Final = tuple(
    state for state in pb.JobState.values() if state not in JOB_TERMINAL and state != pb.JOB_STATE_UNSPECIFIED
)


class FeedKeys(NamedTuple):
    """KEYS of `feed_ends.lua`."""

    feed: str


_ENDS: Final = Script(loader.load("feed_ends", FeedKeys, NoArguments, package=PACKAGE))
"""Length and oldest entry of the feed, in one moment."""


class NextArguments(NamedTuple):
    """ARGV of `next_members.lua`: the score to begin after, and how many members at most of each set."""

    after: int
    most: int


_NEXT: Final = Script(loader.load("next_members", NoKeys, NextArguments, package=PACKAGE))
"""The next members of several sorted sets, in one moment."""


def _readable(entry: FeedEntry) -> FeedEntry:
    return entry if entry.revision == 0 or event_of(entry) is not None else without_event(entry)


class RedisHistory:
    """Reads of the feed that do not wait, on a pipe that others share."""

    def __init__(self, reads: Pipeline) -> None:
        self._reads = reads

    async def tip(self) -> FeedPosition:
        """Where a reader stands who has read all of the feed."""
        found = await self._ask(("XREVRANGE", keys.FEED, "+", "-", "COUNT", 1))
        return position_of(_readable(entry_of(found[0]))) if found else START

    async def read(self, first: FeedId, count: int) -> list[FeedEntry]:
        """At most `count` entries from an id on, that one included."""
        found = await self._ask(("XRANGE", keys.FEED, f"{first[0]}-{first[1]}", "+", "COUNT", count))
        return [_readable(entry_of(row)) for row in found]

    async def begins_after(self, position: FeedId) -> bool:
        """Whether entries after the position may have been trimmed; a feed that is not full was never trimmed."""
        (length, oldest), _ = await retry_lost_reply(lambda: _ENDS.run(self._reads, FeedKeys(keys.FEED)))
        return bool(oldest) and position < id_of(oldest[0][0]) and (position > START.id or length >= commit.FEED_LENGTH)

    async def active(self, after: int, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next active jobs, in order of acceptance.

        All states are read in one moment, so a job that moves between them is neither missed nor met twice.
        """
        names = [keys.state(state) for state in _ACTIVE]
        found, _ = await retry_lost_reply(lambda: _NEXT.run(self._reads, names, NextArguments(after, count)))
        jobs = [job for row in found for job in indexed(row)]
        return sorted(jobs, key=lambda job: job[1])[:count]

    async def _ask(self, *commands: Command) -> Any:
        reply, _ = await retry_lost_reply(lambda: self._reads.call(*commands))
        return reply
