"""Jobs in Redis: commit, load, read a log, list, count, delete.

Adapter: the only module that runs the commit script. Reads are repeated when their reply is lost. A commit is repeated
too, which its expected revision makes safe: at worst the second one finds the first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from headgate import commit, deletion, keys, lives, overlap, pb, snapshot
from headgate.audit import NOBODY, Origin
from headgate.overlap import Hold
from headgate_redis import apart
from headgate_redis.pipe import Command, Pipe
from headgate_redis.script import Script
from headgate_server import wire
from headgate_server.clock import StoreClock
from headgate_server.cursor import Page
from headgate_server.errors import StoreFull
from headgate_server.redis_errors import ReplyLost, translated

PAUSES: Final = (0.02, 0.1, 0.3, 0.6)
"""Seconds before a lost command is sent again; after the last one the store counts as unavailable."""

PATIENCE_SECONDS: Final = 2.0
"""After this long no command is sent again: a store that hangs would otherwise hold every caller for many timeouts."""

PROBE: Final = f"{keys.PREFIX}probe"
"""Key that is written to see whether writing works."""

PROBE_MS: Final = 60_000
"""How long it stays."""

_COLUMNS: Final = ("rev", "st", "uid", "snap", "reads", "writes", "throttled", "waited")


@dataclass(frozen=True, slots=True)
class Stored:
    """A job as it stands.

    Args:
        revision: its last revision.
        body: the Job as bytes, call counters included.
    """

    revision: int
    body: bytes

    @property
    def life(self) -> lives.Life:
        """Which life of its id the job is."""
        return lives.of_prefix(self.body[: lives.PREFIX_BYTES])


_COMMIT: Final = Script(commit.SCRIPT)
_DELETE: Final = Script(deletion.DELETE_SCRIPT)
_LINE: Final = Script(overlap.LINE_SCRIPT)
_LIFE: Final = Script(lives.SCRIPT)

_LOAD: Final = Script(f"""
local row = redis.call('HMGET', KEYS[1], {", ".join(f"'{column}'" for column in _COLUMNS)})
row[#row + 1] = row[1] and not row[4] and redis.call('LINDEX', KEYS[2], 0)
return row
""")
"""Reads a job, and the first event of its log when it has no snapshot, in one moment. KEYS: 1 job 2 log. Answers the
columns and the event."""

_LAST_INDEX: Final = 2**63 - 1
"""The largest index that Redis takes. A caller may ask for any revision up to it, and a page of it would end behind."""

_PAGE: Final = Script("""
return {redis.call('HMGET', KEYS[1], unpack(ARGV, 3)), redis.call('LLEN', KEYS[2]),
  redis.call('LRANGE', KEYS[2], ARGV[1], ARGV[2]), redis.call('LRANGE', KEYS[2], -1, -1)}
""")
"""Reads a part of a log and its job in one moment. A script, since a full Redis refuses every MULTI, even one that only
reads. KEYS: 1 job 2 log. ARGV: 1 first position 2 last position 3.. columns of the job."""


class RedisStore:
    """Jobs in Redis.

    Args:
        writes: pipe for commits.
        reads: pipe for everything else, so that a long read never stands before a commit.
        clock: learns the time from every commit.
    """

    def __init__(self, *, writes: Pipe, reads: Pipe, clock: StoreClock) -> None:
        self._writes = writes
        self._reads = reads
        self._clock = clock

    async def submit(self, change: commit.Commit) -> commit.Answer:
        """Make a change, all or nothing.

        Raises:
            StoreUnavailable: no answer after several tries; whether it was done is not known.
            StoreFull: nothing was written.
        """
        names, arguments = commit.script_keys(change), commit.script_arguments(change)
        raw, repeated = await insist(lambda: _COMMIT.run(self._writes, names, arguments))
        self._clock.learn(int(raw[2]))
        return await self._recognise(change, commit.parse_answer(raw), repeated=repeated)

    async def _recognise(self, change: commit.Commit, answer: commit.Answer, *, repeated: bool) -> commit.Answer:
        if not (repeated and isinstance(answer, commit.Stale) and change.events):
            return answer
        first = change.expected_revision
        written = await self._read(
            ("LRANGE", keys.log(keys.job_id(change.job.name)), first, first + len(change.events) - 1)
        )
        ours = tuple(written) == change.events
        return commit.Committed(first + len(change.events), self._clock.now_ms()) if ours else answer

    async def recorded(self, request_key: str) -> commit.Duplicate | None:
        """What a request id was used for; None when it is fresh."""
        record, life = await self._read(("MGET", request_key, keys.request_life(request_key)))
        return None if record is None else commit.recorded(record, life)

    async def life(self, job_id: str) -> lives.Life | None:
        """Which life a job id has now, by one command of fixed cost; None when there is no such job."""
        raw, _ = await insist(lambda: _LIFE.run(self._reads, (keys.job(job_id), keys.log(job_id)), ()))
        return lives.parse(raw)

    async def load(self, job_id: str) -> Stored | None:
        """A job as it stands; None when there is none."""
        names = (keys.job(job_id), keys.log(job_id))
        row, _ = await insist(lambda: _LOAD.run(self._reads, names, ()))
        return _stored(row)

    async def load_many(self, job_ids: Sequence[str]) -> list[Stored | None]:
        """Jobs as they stand, in the order asked for; None for each that is not there."""
        rows = await asyncio.gather(*(self.load(job_id) for job_id in job_ids))
        return list(rows)

    async def read_log(self, job_id: str, *, first: int, count: int, with_job: bool = False) -> Page | None:
        """A part of a log with the state it belongs to, read in one moment; None when there is no such job.

        Args:
            job_id: whose log.
            first: revision to begin at, from 1.
            count: most events to read, from 1.
            with_job: whether the page shall carry the job itself.
        """
        page = await self._read_page(job_id, first, count, 0, with_job=with_job)
        if page is not None and 1 < page.kept_from <= first:
            page = await self._read_page(job_id, first, count, page.kept_from - 1, with_job=with_job)
        return page

    async def _read_page(self, job_id: str, first: int, count: int, cut: int, *, with_job: bool) -> Page | None:
        columns = _COLUMNS if with_job else _COLUMNS[:3]
        begin, log_key = first - 1 - cut, keys.log(job_id)
        names, arguments = (keys.job(job_id), log_key), (begin, min(begin + count - 1, _LAST_INDEX), *columns)
        (row, length, events, last), _ = await insist(lambda: _PAGE.run(self._reads, names, arguments))
        if row[0] is None:
            return None
        revision = int(row[0])
        end = last[0] if last else b""
        body = _body(row, end) if with_job else b""  # without a snapshot the last event is the first one
        kept_from = max(1, revision - length + 1)
        uid = (row[2] or b"").decode()
        return Page(revision, _state(row[1]), kept_from, first, tuple(events), end, body, uid)

    async def polls(self, job_id: str) -> tuple[int, int]:
        """When upstream was last read for a job, and when it will be next, in ms; 0 for what is not known."""
        last, following = await self._read(("HMGET", keys.job(job_id), "polled", "polls_at"))
        return int(last or 0), int(following or 0)

    async def revisions(self, job_ids: Sequence[str]) -> list[int]:
        """The last revisions of jobs, in the order asked for; 0 for each that is not there."""
        rows = await asyncio.gather(*(self._read(("HGET", keys.job(job_id), "rev")) for job_id in job_ids))
        return [int(row or 0) for row in rows]

    async def walk(self, index: str, *, after: int, newest_first: bool, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of jobs of an index, in order.

        Args:
            index: `keys.JOBS` or `keys.state(...)`.
            after: acceptance number that the walk stands at; 0 to begin.
            newest_first: the order.
            count: how many at most.
        """
        if newest_first:
            bounds = ("ZREVRANGEBYSCORE", index, f"({after}" if after else "+inf", "-inf")
        else:
            bounds = ("ZRANGEBYSCORE", index, f"({after}", "+inf")
        found = await self._read((*bounds, "WITHSCORES", "LIMIT", 0, count))
        return [(found[i].decode(), int(float(found[i + 1]))) for i in range(0, len(found), 2)]

    async def count(self) -> dict[pb.JobState.ValueType, int]:
        """How many jobs are in each state."""
        states = [state for state in pb.JobState.values() if state != pb.JOB_STATE_UNSPECIFIED]
        sizes = await asyncio.gather(*(self._read(("ZCARD", keys.state(state))) for state in states))
        return dict(zip(states, sizes, strict=True))

    async def delete(self, job: pb.Job, *, revision: int, origin: Origin = NOBODY) -> bool:
        """Delete a job with its log and tell its watchers; False when it has moved on from `revision`.

        A job that is gone already counts as deleted, but not when another one has its id.
        """
        job_id = keys.job_id(job.name)
        names = deletion.script_keys(job_id, job.state)
        arguments = deletion.script_arguments(job_id, revision, job.uid, connection=job.connection, origin=origin)
        answer, _ = await insist(lambda: _DELETE.run(self._writes, names, arguments))
        return bool(answer >= 0)

    async def held(self, hold: Hold, *, job_id: str = "") -> dict[str, str]:
        """Which of the dates other backfills hold, or want who came earlier: "yyyymmdd" to job id.

        Args:
            hold: the dates.
            job_id: who asks, for its place in line; empty for one that has none. Dates of a job that is gone are free.
        """
        arguments = overlap.line_arguments(job_id, hold)
        raw, _ = await insist(lambda: _LINE.run(self._reads, hold.keys(), arguments))
        return overlap.parse_taken(raw)

    async def probe(self) -> None:
        """Write something, the way commits go.

        Raises:
            StoreUnavailable: it can't be written now.
            StoreFull: it has no room.
        """
        with translated():
            await self._writes.call(("SET", PROBE, "1", "PX", PROBE_MS))

    async def observations(self, connection: str, ids: Sequence[int | str]) -> list[bytes | None]:
        """The last observations of instances as bytes, in the order asked for."""
        found = await self._read(("MGET", *(keys.observation(connection, id_) for id_ in ids)))
        return list(found)

    async def _read(self, *commands: Command) -> Any:
        reply, _ = await insist(lambda: self._reads.call(*commands))
        return reply


async def insist(action: Callable[[], Awaitable[Any]]) -> tuple[Any, bool]:
    """The reply of a repeatable action, and whether it took more than one try."""
    started = time.monotonic()
    for tries, pause in enumerate((0.0, *PAUSES)):
        if pause:
            await apart.pause(pause)
        try:
            with translated():
                return await action(), tries > 0
        except ReplyLost:
            if time.monotonic() - started > PATIENCE_SECONDS:
                break
        except StoreFull:
            if tries == 0:
                raise
            break  # a try before this one may have been done
    raise ReplyLost("no reply")


def _state(raw: bytes | None) -> pb.JobState.ValueType:
    return pb.JobState.ValueType(int(raw or 0))


def _body(row: Sequence[bytes | None], first: bytes | None) -> bytes:
    reads, writes, throttled, waited_ms = (int(value or 0) for value in row[4:8])
    body = row[3] or snapshot.body_of(first or b"")
    return wire.with_usage(body, reads=reads, writes=writes, throttled=throttled, waited_ms=waited_ms)


def _stored(row: Sequence[bytes | None]) -> Stored | None:
    if row[0] is None or not (row[3] or row[-1]):
        return None
    return Stored(int(row[0]), _body(row, row[-1]))
