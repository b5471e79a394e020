"""Scripts of this version and of the one before, by turns on one store: what either writes the other understands.

Each process sends its own text, so that during an upgrade both run. `earlier/` has the texts of a6a26d7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate.store import commit, deletion, keys, queue_entries
from headgate.store.commit import Commit, Committed, Duplicate, RequestRecord, Stale, Wake
from headgate.store.date_claims import Joined, hold_of
from headgate_cli.dev.redis_server import RedisServer
from headgate_server.store import acceptance
from headgate_worker.store.clients import command_client
from tests.worker.submitting import backfill_job, hold_of_submitted, seed_backfill

EARLIER = Path(__file__).parent / "earlier"
DIGEST = "0123456789abcdefghijkl"
RECORD = RequestRecord(keys.request("alice", "r"), DIGEST)
FIRST_EVENT = 27
"""How many arguments the earlier commit script has before its events."""


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    async with RedisServer(appendonly=False) as server:
        client = command_client(server.url, connections=4)
        yield client
        await client.aclose()


class Now:
    """This version."""

    def __init__(self, redis: Redis) -> None:
        self._commit = redis.register_script(commit.SCRIPT)
        self._accept = redis.register_script(acceptance.SCRIPT)
        self._delete = redis.register_script(deletion.DELETE_SCRIPT)

    async def commit(self, change: Commit) -> commit.CommitOutcome:
        first = acceptance.is_first(change)
        script, side = (self._accept, acceptance) if first else (self._commit, commit)
        raw = await script(keys=side.script_keys(change), args=side.script_arguments(change))
        return commit.parse_answer(raw)

    async def delete(self, job: pb.Job) -> int:
        return int(
            await self._delete(keys=[*_deleted(job), keys.AUDIT], args=[*_deletion(job), job.uid, "", "", "", ""])
        )


class Before:
    """The version before."""

    def __init__(self, redis: Redis) -> None:
        self._commit = redis.register_script((EARLIER / "commit.lua").read_text())
        self._delete = redis.register_script((EARLIER / "delete.lua").read_text())

    async def commit(self, change: Commit) -> commit.CommitOutcome:
        arguments = commit.script_arguments(change)
        sent = [*arguments[:FIRST_EVENT], *change.events]
        raw = await self._commit(keys=commit.script_keys(change)[:17], args=sent)
        if raw[0] == -3:
            job_id, digest = raw[1].decode().split(" ")  # as that version reads it
            return Duplicate(job_id, digest)
        return Joined(raw[1].decode()) if raw[0] == -6 else commit.parse_answer(raw)

    async def delete(self, job: pb.Job) -> int:
        return int(await self._delete(keys=_deleted(job), args=_deletion(job)))


def _deleted(job: pb.Job) -> list[str]:
    job_id = keys.job_id(job.name)
    indexes = [keys.JOBS, keys.state(job.state), keys.DUE, keys.EXPIRING, keys.FEED]
    return [keys.job(job_id), keys.log(job_id), *indexes]


def _deletion(job: pb.Job) -> list[str | int]:
    return [keys.job_id(job.name), job.revision, "0", commit.FEED_LENGTH]


def submit(overlap: pb.Overlap.ValueType = pb.OVERLAP_REJECT, *, name: str = "jobs/x") -> Commit:
    job = backfill_job(seed_backfill(overlap=overlap), name=name)
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)
    made = event_log.fold(None, event)
    tick = Wake(queue_entries.tick(keys.job_id(name), nonce="n", now_ms=1))
    events = (event.SerializeToString(),)
    return Commit(pb.JOB_STATE_UNSPECIFIED, made, 0, events, wake=tick, request=RECORD, hold=hold_of_submitted(made))


def end(job: pb.Job) -> Commit:
    after, events = job, []
    for state in (pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED):
        event = pb.JobEvent(revision=after.revision + 1, type=pb.EVENT_TYPE_STATE_CHANGED, state=state)
        after = event_log.fold(after, event)
        events.append(event.SerializeToString())
    return Commit(job.state, after, job.revision, tuple(events), hold=hold_of(after))


@pytest.fixture(params=[(Now, Before), (Before, Now), (Now, Now)], ids=["now-before", "before-now", "now-now"])
def two(request: pytest.FixtureRequest, redis: Redis) -> tuple[Any, Any]:
    first, second = request.param
    return first(redis), second(redis)


async def test_a_request_is_recorded_by_one_and_repeated_at_the_other(two: tuple[Any, Any]) -> None:
    first, second = two
    change = submit()
    assert isinstance(await first.commit(change), Committed)

    answer = await second.commit(submit())
    assert (answer.job_id, answer.digest) == ("x", DIGEST)
    both = isinstance(first, Now) and isinstance(second, Now)
    assert answer.uid == (change.job.uid if both else "")


async def test_who_joins_at_one_is_answered_with_the_job_of_the_other_and_so_is_the_repeat(
    two: tuple[Any, Any], redis: Redis
) -> None:
    first, second = two
    change = submit()
    assert isinstance(await first.commit(change), Committed)
    await redis.delete(*await redis.keys("hg:request:*"))

    joining = submit(pb.OVERLAP_JOIN, name="jobs/y")
    joined = await second.commit(joining)
    assert isinstance(joined, Joined)
    assert joined.job_id == "x"
    repeated = await first.commit(joining)
    assert (repeated.job_id, repeated.digest) == ("x", DIGEST)
    assert repeated.uid == joined.uid
    assert not joined.uid or joined.uid == change.job.uid


async def test_a_job_is_accepted_by_one_ended_by_the_other_and_deleted_by_the_first(two: tuple[Any, Any]) -> None:
    first, second = two
    change = submit()
    await first.commit(change)

    ending = end(change.job)
    assert isinstance(await second.commit(ending), Committed)
    assert await first.delete(ending.job) == 1
    assert await second.delete(ending.job) == 0


async def test_a_commit_and_a_deletion_for_an_earlier_job_of_the_id_change_nothing(redis: Redis) -> None:
    now = Now(redis)
    first, second = submit(), submit()
    await now.commit(first)
    ended = end(first.job)
    await now.commit(ended)
    await now.delete(ended.job)
    await redis.delete(*await redis.keys("hg:request:*"))
    assert isinstance(await now.commit(second), Committed)

    assert isinstance(await now.commit(end(first.job)), Stale)
    assert await now.delete(first.job) == -1
    assert await redis.hget(keys.job("x"), "rev") == b"1"  # type: ignore[misc]
    assert await now.delete(second.job) == 1
