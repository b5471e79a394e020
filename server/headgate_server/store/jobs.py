"""Jobs in Redis: commit, load, read a log, list, count, delete.

Adapter: the only module that runs the commit script. Reads are repeated when their reply is lost. A commit is repeated
too, which its expected revision makes safe: at worst the second one finds the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final

from headgate import pb
from headgate.quota import limits
from headgate.store import commit, date_claims, deletion, keys, lives, lost_reply
from headgate.store.audit import NOBODY, Origin
from headgate.store.date_claims import Hold
from headgate.store.deletion import CleanArguments, CleanKeys
from headgate_redis.clock import StoreClock
from headgate_redis.pipeline import Command, Pipeline
from headgate_redis.script import Script
from headgate_server.errors.exceptions import JobDamaged, RowDamaged
from headgate_server.logs.damaged_rows import Damage
from headgate_server.ports.jobs import LogPage, StoredJob
from headgate_server.store import acceptance, job_scripts, stored_rows
from headgate_server.store.default_connection import DefaultConnection
from headgate_server.store.errors import translated
from headgate_server.store.job_scripts import CountKeys, JobKeys, ReadLogArguments
from headgate_server.store.retry import retry_lost_reply
from headgate_server.store.stored_rows import COLUMNS, LOG_COLUMNS

PROBE_MS: Final = 60_000
"""How long what `probe` writes stays."""

PAGE_BYTES: Final = 2 * 1024 * 1024
"""Most bytes of events that one look into a log reads, but one event at least."""

_COMMIT: Final = Script(commit.SCRIPT)
_ACCEPT: Final = Script(acceptance.SCRIPT)
_DELETE: Final = Script(deletion.DELETE_SCRIPT)
_LINE: Final = Script(date_claims.LINE_SCRIPT)
_LIFE: Final = Script(lives.SCRIPT)
_FORGET: Final = Script(deletion.FORGET_SCRIPT)
_CLEAN: Final = Script(deletion.CLEAN_SCRIPT)

_LOAD: Final = Script(job_scripts.LOAD)
_READ_LOG: Final = Script(job_scripts.READ_LOG)
_CONNECTIONS: Final = Script(job_scripts.READ_CONNECTIONS)
_COUNT: Final = Script(job_scripts.COUNT)

_LAST_POSITION: Final = 2**48
"""Far behind the end of every log; a caller may ask for any revision, and Lua's numbers are doubles."""


class RedisStore:
    """Jobs in Redis.

    Args:
        writes: pipe for commits.
        reads: pipe for everything else, so that a long read never stands before a commit.
        clock: learns the time from every commit.
        damage: counts the rows that can't be read.

    `default` is the default connection, whose dates and names are kept under two names.
    """

    def __init__(self, *, writes: Pipeline, reads: Pipeline, clock: StoreClock, damage: Damage | None = None) -> None:
        self._damage = damage or Damage()
        self._writes = writes
        self._reads = reads
        self._clock = clock
        self.default = DefaultConnection(self._default_connection)

    async def _default_connection(self) -> str:
        return (await self._read(("HGET", keys.quota(""), limits.ALIAS)) or b"").decode()

    async def submit(self, change: commit.Commit) -> commit.CommitOutcome:
        """Make a change, all or nothing.

        Raises:
            StoreUnavailable: no answer after several tries; whether it was done is not known.
            StoreFull: nothing was written.
            JobDamaged: job and log disagree, or are not as a job's; nothing was written.
        """
        job_id, run = keys.job_id(change.job.name), self._committing(change)
        with self._noting(job_id):
            raw, repeated = await retry_lost_reply(run)
            answer = commit.parse_answer(raw)
            if isinstance(answer, commit.Damaged):
                raise JobDamaged(job_id)
        self._clock.learn(int(raw[2]))
        return await lost_reply.answer_of(change, raw, self._events) if repeated else answer

    def _committing(self, change: commit.Commit) -> Callable[[], Awaitable[Any]]:
        made: tuple[Script, Sequence[str], Sequence[bytes | str | int]]
        if acceptance.is_first(change):
            made = _ACCEPT, acceptance.script_keys(change, self.default.name), acceptance.script_arguments(change)
        else:
            made = _COMMIT, commit.script_keys(change, self.default.name), commit.script_arguments(change)
        script, names, arguments = made
        return lambda: script.run(self._writes, names, arguments)

    async def _events(self, log: str, first: int, last: int) -> Sequence[bytes]:
        written: Sequence[bytes] = await self._read(("LRANGE", log, first, last))
        return written

    async def recorded(self, request_key: str) -> commit.Duplicate | None:
        """What a request id was used for; None when it is fresh."""
        record, life = await self._read(("MGET", request_key, keys.request_life(request_key)))
        return None if record is None else commit.recorded(record, life)

    async def life(self, job_id: str) -> lives.Life | None:
        """Which life a job id has now, by one command of fixed cost; None when there is no such job."""
        with self._noting(job_id):
            raw, _ = await retry_lost_reply(
                lambda: _LIFE.run(self._reads, lives.LifeKeys(keys.job(job_id), keys.log(job_id)))
            )
            return stored_rows.life(job_id, raw)

    async def load(self, job_id: str) -> StoredJob | None:
        """A job as it stands; None when there is none.

        Raises:
            JobDamaged: it can't be read.
        """
        names = JobKeys(keys.job(job_id), keys.log(job_id))
        with self._noting(job_id):
            row, _ = await retry_lost_reply(lambda: _LOAD.run(self._reads, names))
            return stored_rows.stored(job_id, row)

    async def load_many(self, job_ids: Sequence[str]) -> list[StoredJob | None]:
        """Jobs as they stand, in the order asked for; None for each that is not there or can't be read."""
        rows = await asyncio.gather(*(self._load_readable(job_id) for job_id in job_ids))
        return list(rows)

    async def _load_readable(self, job_id: str) -> StoredJob | None:
        try:
            return await self.load(job_id)
        except JobDamaged:
            return None

    async def connections_of(self, job_ids: Sequence[str]) -> list[str | None]:
        """The connections of jobs, in the order asked for; None where the job's hash has none, or is none."""
        names = [keys.job(job_id) for job_id in job_ids]
        raw, _ = await retry_lost_reply(lambda: _CONNECTIONS.run(self._reads, names))
        return [None if name is None else name.decode() for name in raw]

    async def read_log(self, job_id: str, *, first: int, count: int, with_job: bool = False) -> LogPage | None:
        """A part of a log with the state it belongs to, read in one moment; None when there is no such job.

        Args:
            job_id: whose log.
            first: revision to begin at, from 1.
            count: most events to read, from 1.
            with_job: whether the page shall carry the job itself.

        Raises:
            JobDamaged: its job can't be read. Events that can't are named in the page.
        """
        page = await self._read_page(job_id, first, count, 0, with_job=with_job)
        if page is not None and 1 < page.kept_from <= first:
            page = await self._read_page(job_id, first, count, page.kept_from - 1, with_job=with_job)
        return page

    async def _read_page(self, job_id: str, first: int, count: int, cut: int, *, with_job: bool) -> LogPage | None:
        columns = COLUMNS if with_job else LOG_COLUMNS
        names = JobKeys(keys.job(job_id), keys.log(job_id))
        arguments = (*ReadLogArguments(min(first - 1 - cut, _LAST_POSITION), count, PAGE_BYTES), *columns)
        with self._noting(job_id):
            raw, _ = await retry_lost_reply(lambda: _READ_LOG.run(self._reads, names, arguments))
            page = stored_rows.page(job_id, raw, first, with_job=with_job)
        if page is not None and page.unreadable:
            self._damage.note(f"event {page.unreadable[0]} of {keys.job_name(job_id)}")
        return page

    async def polls(self, job_id: str) -> tuple[int, int]:
        """When upstream was last read for a job, and when it will be next, in ms; 0 for what is not known."""
        last, following = await self._read(("HMGET", keys.job(job_id), "polled", "polls_at"))
        return stored_rows.count(last), stored_rows.count(following)

    async def revisions(self, job_ids: Sequence[str]) -> list[int]:
        """The last revisions of jobs, in the order asked for; 0 for each that is not there."""
        return list(await asyncio.gather(*map(self._revision, job_ids)))

    async def _revision(self, job_id: str) -> int:
        try:
            return stored_rows.count(await self._read(("HGET", keys.job(job_id), "rev")))
        except RowDamaged:
            return 0  # its watchers read the log, and get the error there

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
        return stored_rows.indexed(found)

    async def count(self) -> dict[pb.JobState.ValueType, int]:
        """How many jobs are in each state, without those that workers have given up since they can't be read."""
        states = [state for state in pb.JobState.values() if state != pb.JOB_STATE_UNSPECIFIED]
        names = (*CountKeys(keys.DAMAGED), *map(keys.state, states))
        sizes, _ = await retry_lost_reply(lambda: _COUNT.run(self._reads, names))
        return dict(zip(states, sizes, strict=True))

    async def delete(self, job: pb.Job, *, revision: int, origin: Origin = NOBODY) -> bool:
        """Delete a job with its log and notify its watchers; False when it has moved on from `revision`.

        A job that is gone already counts as deleted, but not when another one has its id. What was last read of its
        instances goes too, since it may repeat the job's parameters; a later reader reads it again.
        """
        job_id = keys.job_id(job.name)
        names = deletion.script_keys(job_id, job.state)
        arguments = deletion.script_arguments(job_id, revision, job.uid, connection=job.connection, origin=origin)
        answer, _ = await retry_lost_reply(lambda: _DELETE.run(self._writes, names, arguments))
        instances = {run.workflow_instance_id or run.flow_instance_id for run in job.runs} - {""}
        gone = answer != deletion.DeleteAnswer.CHANGED
        if gone and instances:
            names_seen = [keys.observation(job.connection, instance) for instance in instances]
            await retry_lost_reply(lambda: self._writes.call(("UNLINK", *names_seen)))
        return bool(gone)

    async def forget(self, damaged: JobDamaged, origin: Origin = NOBODY) -> bool:
        """Delete a job that can't be read, and notify its watchers; False where another one has the id by now.

        Its dates are free then. What is left of them is taken away too, so that no later job of the id has them.
        """
        names = deletion.forget_keys(damaged.job_id)
        arguments = deletion.forget_arguments(damaged.job_id, damaged.seen, origin)
        done, _ = await retry_lost_reply(lambda: _FORGET.run(self._writes, names, arguments))
        if done == deletion.ForgetAnswer.DELETED:
            await self._forget_dates(damaged.job_id)
        return bool(done == deletion.ForgetAnswer.DELETED)

    async def _forget_dates(self, job_id: str) -> None:
        cursor = b""
        while cursor != b"0":
            cursor, found = await self._read(("SCAN", cursor or b"0", "MATCH", f"{keys.DATES}*", "COUNT", 1_000))
            for name in found:
                await retry_lost_reply(partial(_CLEAN.run, self._writes, CleanKeys(name), CleanArguments(job_id)))

    async def held(self, hold: Hold, *, job_id: str = "") -> dict[str, str]:
        """Which of the dates other backfills hold, or want who came earlier: "yyyymmdd" to job id.

        Args:
            hold: the dates.
            job_id: who asks, for its place in line; empty for one that has none. Dates of a job that is gone are free.
        """
        arguments = date_claims.line_arguments(job_id, hold)
        raw, _ = await retry_lost_reply(lambda: _LINE.run(self._reads, hold.keys(self.default.name), arguments))
        return date_claims.parse_taken(raw)

    async def probe(self) -> None:
        """Write something, the way commits go.

        Raises:
            StoreUnavailable: it can't be written now.
            StoreFull: it has no room.
        """
        with translated():
            await self._writes.call(("SET", keys.PROBE, "1", "PX", PROBE_MS))

    async def observations(self, connection: str, ids: Sequence[int | str]) -> list[bytes | None]:
        """The last observations of instances as bytes, in the order asked for."""
        found = await self._read(("MGET", *(keys.observation(connection, id_) for id_ in ids)))
        return list(found)

    async def _read(self, *commands: Command) -> Any:
        reply, _ = await retry_lost_reply(lambda: self._reads.call(*commands))
        return reply

    def _noting(self, job_id: str) -> _Noting:
        return _Noting(self._damage, job_id)


class _Noting:
    """Errors of a job's row are counted, and raised as JobDamaged. A class, as `translated` is."""

    __slots__ = ("_damage", "_job_id")

    def __init__(self, damage: Damage, job_id: str) -> None:
        self._damage = damage
        self._job_id = job_id

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RowDamaged | JobDamaged):
            self._damage.note(keys.job_name(self._job_id))
        if isinstance(error, RowDamaged):
            raise JobDamaged(self._job_id) from error
