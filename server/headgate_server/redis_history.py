"""The feed's past in Redis, and the walk over all active jobs: what a watch of all jobs begins with."""

from __future__ import annotations

from typing import Any, Final

from headgate import commit, keys, pb
from headgate.lifecycle import JOB_TERMINAL
from headgate_server.feed_entry import START, Entry, FeedId, Position, position_of
from headgate_server.pipe import Command, Pipe
from headgate_server.redis_feed import entry_of, id_of
from headgate_server.redis_store import insist

_ACTIVE: Final = tuple(
    state for state in pb.JobState.values() if state not in JOB_TERMINAL and state != pb.JOB_STATE_UNSPECIFIED
)


class RedisHistory:
    """Reads of the feed that do not wait, on a pipe that others share."""

    def __init__(self, reads: Pipe) -> None:
        self._reads = reads

    async def tip(self) -> Position:
        """Where a reader stands who has read all of the feed."""
        found = await self._ask(("XREVRANGE", keys.FEED, "+", "-", "COUNT", 1))
        return position_of(entry_of(found[0])) if found else START

    async def read(self, first: FeedId, count: int) -> list[Entry]:
        """At most `count` entries from an id on, that one included."""
        found = await self._ask(("XRANGE", keys.FEED, f"{first[0]}-{first[1]}", "+", "COUNT", count))
        return [entry_of(row) for row in found]

    async def begins_after(self, position: FeedId) -> bool:
        """Whether entries after the position may have been trimmed; a feed that is not full was never trimmed."""
        length, oldest = await self._ask(
            ("MULTI",), ("XLEN", keys.FEED), ("XRANGE", keys.FEED, "-", "+", "COUNT", 1), ("EXEC",)
        )
        return bool(oldest) and position < id_of(oldest[0][0]) and (position > START.id or length >= commit.FEED_LENGTH)

    async def active(self, after: int, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next active jobs, in order of acceptance.

        All states are read in one moment, so a job that moves between them is neither missed nor met twice.
        """
        walks = (
            ("ZRANGEBYSCORE", keys.state(state), f"({after}", "+inf", "WITHSCORES", "LIMIT", 0, count)
            for state in _ACTIVE
        )
        found = await self._ask(("MULTI",), *walks, ("EXEC",))
        jobs = [(row[i].decode(), int(float(row[i + 1]))) for row in found for i in range(0, len(row), 2)]
        return sorted(jobs, key=lambda job: job[1])[:count]

    async def _ask(self, *commands: Command) -> Any:
        reply, _ = await insist(lambda: self._reads.call(*commands))
        return reply
