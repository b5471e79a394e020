"""The feed, jobs, positions and the lease of notifications in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headgate import pb
from headgate.job import event_log
from headgate.messages import views
from headgate.messages.feed_entries import FeedEntry, FeedId, entry_of, id_of
from headgate.scripts import loader
from headgate.store import commit, keys, snapshot
from headgate_redis.row_errors import is_damage
from headgate_worker.ports.notifications import FeedPage, JobAtEvent

PACKAGE: Final = "headgate_worker.scripts"
"""Where the scripts are."""


class LeadKeys(NamedTuple):
    """KEYS of `lead.lua`."""

    leader: str


class LeadArguments(NamedTuple):
    """ARGV of `lead.lua`: who wants to lead, and for how long."""

    owner: str
    lease_ms: int


LEAD: Final = loader.load("lead", LeadKeys, LeadArguments, package=PACKAGE)
"""Takes or renews the lease. Answers the fence, or 0 while another worker leads."""


class MovePositionsKeys(NamedTuple):
    """KEYS of `move_positions.lua`."""

    leader: str
    positions: str


class MovePositionsArguments(NamedTuple):
    """ARGV of `move_positions.lua`: who leads by which fence; then come endpoints and ids."""

    owner: str
    fence: int


class MovePositionsAnswer(IntEnum):
    """Codes of `move_positions.lua`."""

    FENCED = 0
    MOVED = 1


MOVE: Final = loader.load(
    "move_positions", MovePositionsKeys, MovePositionsArguments, answers=MovePositionsAnswer, package=PACKAGE
)
"""Keeps positions, by the fence."""


class RedisNotifications:
    """Notifications in Redis.

    Args:
        redis: a client of its own, so that long pages of the feed hold up no tick; it does not decode replies.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._lead = redis.register_script(LEAD)
        self._move = redis.register_script(MOVE)

    async def lead(self, owner: str, lease_ms: int) -> int | None:
        """Lead, or go on leading, for a lease; the fence, or None while another worker leads. 0 ms end the lease."""
        fence = await self._lead(keys=LeadKeys(keys.NOTIFIER), args=LeadArguments(owner, lease_ms))
        return int(fence) or None

    async def tip(self) -> FeedId:
        """Id of the newest entry of the feed; zero when it is empty."""
        found = await self._redis.xrevrange(keys.FEED, count=1)
        return id_of(found[0][0]) if found else (0, 0)

    async def read(self, after: FeedId, count: int) -> FeedPage:
        """At most `count` entries after an id."""
        first = _written(after)
        rows = await self._redis.xrange(keys.FEED, first, "+", count + 1)
        entries = tuple(entry_of((name, [word for pair in fields.items() for word in pair])) for name, fields in rows)
        if after == (0, 0):
            return FeedPage(entries[:count], not entries or await self._redis.xlen(keys.FEED) < commit.FEED_LENGTH)
        if entries and entries[0].id == after:
            return FeedPage(entries[1:], True)
        return FeedPage(entries[:count], not entries)

    async def jobs_at(self, entries: Sequence[FeedEntry]) -> Sequence[JobAtEvent | None]:
        """For each entry its job; None where that life of the job is gone, or can't be read."""
        if not entries:
            return ()
        rows = self._redis.pipeline(transaction=False)
        for entry in entries:
            rows.hget(keys.job(entry.job_id), "snap")
            rows.lrange(keys.log(entry.job_id), max(0, entry.revision - 2), entry.revision - 1)
        found = await rows.execute(raise_on_error=False)
        pairs = zip(entries, found[::2], found[1::2], strict=True)
        return [await self._job_at(entry, kept, events) for entry, kept, events in pairs]

    async def _job_at(self, entry: FeedEntry, kept: Any, events: Any) -> JobAtEvent | None:
        for answer in (kept, events):
            if isinstance(answer, Exception):
                if not (isinstance(answer, ResponseError) and is_damage(answer)):
                    raise answer
                return None
        if not events or event_log.incarnation(events[-1]) != entry.incarnation:
            return None
        first = None if kept else await self._redis.lindex(keys.log(entry.job_id), 0)
        await asyncio.sleep(0)  # a large job takes its while to be parsed
        return _job_at(kept, first, events if entry.revision > 1 else ())

    async def positions(self) -> Mapping[str, FeedId]:
        """By endpoint: the last entry up to which everything is delivered or dropped."""
        found = await self._redis.hgetall(keys.NOTIFIED)
        return {keys.text(name): id_of(raw) for name, raw in found.items()}

    async def move(self, owner: str, fence: int, positions: Mapping[str, FeedId]) -> bool:
        """Keep positions; False, and nothing is changed, when another worker leads."""
        names = MovePositionsKeys(keys.NOTIFIER, keys.NOTIFIED)
        pairs = [word for name, at in positions.items() for word in (name, _written(at))]
        answer = await self._move(keys=names, args=(*MovePositionsArguments(owner, fence), *pairs))
        return MovePositionsAnswer(answer) is MovePositionsAnswer.MOVED


def _written(at: FeedId) -> str:
    return f"{at[0]}-{at[1]}"


def _job_at(kept: bytes | None, first: bytes | None, events: Sequence[bytes]) -> JobAtEvent | None:
    try:
        job = snapshot.job_of(kept, first)
        before = pb.JobEvent.FromString(events[0]).state if events else pb.JOB_STATE_UNSPECIFIED
    except DecodeError:
        return None
    if job is None:
        return None
    views.strip(job)
    return JobAtEvent(job, before)
