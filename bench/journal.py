"""Writes jobs and events straight into a store, by the same commit as servers and workers, but in bulk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bench.load.bodies import submit
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import commit, keys, queue_entries
from headgate.store.commit import Commit, Wake
from headgate_server.jobs.new_job import SubmitContext, new_job
from headgate_server.ports.clock import timestamp

PORTION = 200
"""Commits that are sent together."""

FAR_MS = 12 * 3600 * 1000
"""When a tick of a job is due that no worker is to take."""

Script = tuple[list[str], list[bytes | str | int]]
"""KEYS and ARGV of one commit."""


def accepted(number: int, run: str) -> tuple[pb.Job, Commit]:
    """A new job, whose first tick lies far ahead, and the commit that records it."""
    request = pb.CreateBackfillRequest.FromString(submit(number, run))
    request.job_id = f"{run}-{number}"
    made = new_job(request, SubmitContext(_now_ms(), os.urandom(24)))
    wake = made.commit.wake and replace(made.commit.wake, delay_ms=FAR_MS)
    return made.job, replace(made.commit, wake=wake)


def event(
    job: pb.Job, state: pb.JobState.ValueType | None = None, message: str = "seen", *rows: pb.InstanceRun
) -> tuple[pb.Job, Commit]:
    """A job after one more event that moves it to a state, or only warns, and the commit of it."""
    kind = pb.EVENT_TYPE_WARNING if state is None else pb.EVENT_TYPE_STATE_CHANGED
    more = pb.JobEvent(revision=job.revision + 1, type=kind, state=job.state if state is None else state)
    more.event_time.CopyFrom(timestamp(_now_ms()))
    more.message = message
    more.runs.extend(rows)
    after = event_log.fold(job, more)
    tick = queue_entries.tick(keys.job_id(job.name), nonce=os.urandom(6).hex(), now_ms=_now_ms())
    wake = None if after.state in JOB_TERMINAL else Wake(tick, FAR_MS)
    return after, Commit(job.state, after, job.revision, (more.SerializeToString(),), wake=wake)


def running(number: int, run: str) -> Iterable[Commit]:
    """The commits of a job that has created one instance and started it; its next tick lies far ahead."""
    job, first = accepted(number, run)
    yield first
    row = pb.InstanceRun()
    row.CopyFrom(job.runs[0])
    row.state, row.workflow_instance_id, row.upstream_status = pb.RUN_STATE_RUNNING, 1 + number, "Running"
    row.started_time.CopyFrom(timestamp(_now_ms()))
    row.observe_time.CopyFrom(timestamp(_now_ms()))
    _, change = event(job, pb.JOB_STATE_RUNNING, "started", row)
    yield change


def finished(number: int, run: str, events: int) -> Iterable[Commit]:
    """The commits of a job that succeeded with so many events in all, from 3."""
    job, first = accepted(number, run)
    yield first
    for state in (pb.JOB_STATE_RUNNING, *[None] * (events - 3), pb.JOB_STATE_SUCCEEDED):
        job, change = event(job, state, "seen once more, as a worker would say it")
        yield change


class Journal:
    """Commits to one store."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script: Any = redis.register_script(commit.SCRIPT)

    async def write(self, change: Commit) -> None:
        """Make one commit.

        Raises:
            RuntimeError: it was refused.
        """
        _check(await self._script(keys=commit.script_keys(change), args=commit.script_arguments(change)))

    async def write_all(self, changes: Iterable[Commit]) -> None:
        """Make commits in portions, in order."""
        portion: list[Commit] = []
        for change in changes:
            portion.append(change)
            if len(portion) == PORTION:
                await self._send(portion)
                portion = []
        await self._send(portion)

    async def _send(self, portion: list[Commit]) -> None:
        if not portion:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for change in portion:
                await self._script(keys=commit.script_keys(change), args=commit.script_arguments(change), client=pipe)
            for raw in await pipe.execute():
                _check(raw)

    async def make_due(self) -> None:
        """Let every tick that waits be due now, and wake the workers."""
        waiting = await self._redis.zrange(keys.TICKS, 0, -1)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zadd(keys.TICKS, {entry: _now_ms() for entry in waiting})
            pipe.lpush(keys.kick(keys.TICKS), "all")
            await pipe.execute()

    async def used_bytes(self) -> int:
        """What the store's data takes, without the feed, which is bounded for all jobs together."""
        used = int((await self._redis.info("memory"))["used_memory_dataset"])
        return used - await self.bytes_of(keys.FEED)

    async def bytes_of(self, *names: str) -> int:
        """What some keys take."""
        sizes = [await self._redis.memory_usage(name, samples=0) for name in names]
        return sum(size or 0 for size in sizes)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _check(raw: list[Any]) -> None:
    if not isinstance(commit.parse_answer(raw), commit.Committed):
        raise RuntimeError(f"a commit was refused: {commit.parse_answer(raw)}")
