"""The feed's past in Redis, and the walk over all active jobs: what a watch of all jobs begins with."""

from __future__ import annotations

from typing import Any, Final

from headgate import commit, keys, pb
from headgate.lifecycle import JOB_TERMINAL
from headgate_redis.pipe import Command, Pipe
from headgate_redis.script import Script
from headgate_server.ports.feed import START, Entry, FeedId, Position, event_of, position_of, without_event
from headgate_server.store.feed import entry_of, id_of
from headgate_server.store.retry import insist
from headgate_server.store.stored_rows import indexed

_ACTIVE: Final = tuple(
    state for state in pb.JobState.values() if state not in JOB_TERMINAL and state != pb.JOB_STATE_UNSPECIFIED
)

_ENDS: Final = Script("""
return {redis.call('XLEN', KEYS[1]), redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)}
""")
"""Length and oldest entry of the feed, in one moment. Scripts here, since a full Redis refuses every MULTI."""

_WALKS: Final = Script("""
local found = {}
for i, key in ipairs(KEYS) do
  found[i] = redis.call('ZRANGEBYSCORE', key, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
end
return found
""")
"""The next members of several sorted sets, in one moment. KEYS: the sets. ARGV: 1 score to begin after 2 at most."""


def _readable(entry: Entry) -> Entry:
    return entry if entry.revision == 0 or event_of(entry) is not None else without_event(entry)


class RedisHistory:
    """Reads of the feed that do not wait, on a pipe that others share."""

    def __init__(self, reads: Pipe) -> None:
        self._reads = reads

    async def tip(self) -> Position:
        """Where a reader stands who has read all of the feed."""
        found = await self._ask(("XREVRANGE", keys.FEED, "+", "-", "COUNT", 1))
        return position_of(_readable(entry_of(found[0]))) if found else START

    async def read(self, first: FeedId, count: int) -> list[Entry]:
        """At most `count` entries from an id on, that one included."""
        found = await self._ask(("XRANGE", keys.FEED, f"{first[0]}-{first[1]}", "+", "COUNT", count))
        return [_readable(entry_of(row)) for row in found]

    async def begins_after(self, position: FeedId) -> bool:
        """Whether entries after the position may have been trimmed; a feed that is not full was never trimmed."""
        (length, oldest), _ = await insist(lambda: _ENDS.run(self._reads, (keys.FEED,), ()))
        return bool(oldest) and position < id_of(oldest[0][0]) and (position > START.id or length >= commit.FEED_LENGTH)

    async def active(self, after: int, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next active jobs, in order of acceptance.

        All states are read in one moment, so a job that moves between them is neither missed nor met twice.
        """
        names = [keys.state(state) for state in _ACTIVE]
        found, _ = await insist(lambda: _WALKS.run(self._reads, names, (after, count)))
        jobs = [job for row in found for job in indexed(row)]
        return sorted(jobs, key=lambda job: job[1])[:count]

    async def _ask(self, *commands: Command) -> Any:
        reply, _ = await insist(lambda: self._reads.call(*commands))
        return reply
