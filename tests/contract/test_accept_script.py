"""`accept.lua` does of a job's first commit what the commit script does: the same answers and the same rows.

A story of submits is told by either, each on an empty store, at times that the test gives; now and then the other
script, which earlier servers use, records a job in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.store import commit, date_claims, keys, queue_entries
from headgate.store.audit import NOBODY
from headgate.store.charges import Shares
from headgate.store.commit import Commit, MemoryPolicy, NameClaim, Wake
from headgate_cli.dev.redis_server import RedisServer
from headgate_server.store import acceptance
from tests.contract.script_stories import BEGIN_MS, new
from tests.contract.test_positional_scripts import content

Story = list[Commit]
JOIN, QUEUE, REJECT = pb.OVERLAP_JOIN, pb.OVERLAP_QUEUE_AFTER, pb.OVERLAP_REJECT


def fresh(name: str = "x", policy: pb.Overlap.ValueType = REJECT, **fields: Any) -> Commit:
    """A submit with a name that it claims and a uid of its own."""
    made = new(name, policy, **fields)
    return replace(made, claim=NameClaim("eu", 257880, "seed", made.job.uid))


def again(change: Commit, uid: str) -> Commit:
    """Another submit by the same job id, without a request id."""
    job = pb.Job()
    job.CopyFrom(change.job)
    job.uid = uid
    return replace(change, job=job, request=None)


def fewer(change: Commit, count: int) -> Commit:
    """The same of its first dates only."""
    assert change.hold is not None
    return replace(change, hold=replace(change.hold, days=change.hold.days[:count]))


def with_payloads(change: Commit) -> Commit:
    return replace(change, shown=(b"0123456789abcdef" + b"short",))


def without_creator(change: Commit) -> Commit:
    """Of a version that tells no callers apart: nothing is charged."""
    made = again(change, change.job.uid)
    made.job.creator = ""
    return made


STORIES: Final[dict[str, Story]] = {
    "one": [fresh()],
    "two that hold no dates": [fresh("x", hold=None), fresh("y", hold=None)],
    "repeated": [fresh(), fresh()],
    "an id that is taken": [fresh(), again(fresh(), "other")],
    "dates that are taken": [fresh("x"), fresh("y"), fresh("z")],
    "some of them": [fewer(fresh("x"), 1), fresh("y"), fresh("z", JOIN)],
    "dates beside others of the target": [fewer(fresh("x"), 1), replace(fresh("y"), hold=None)],
    "joined": [fresh("x"), fresh("y", JOIN), fresh("y", JOIN), fewer(fresh("z", JOIN), 1)],
    "in line": [fresh("x"), fresh("y", QUEUE), fresh("z", QUEUE), fresh("late")],
    "in line for what is free": [fresh("y", QUEUE), fresh("z")],
    "a full line": [fresh(f"x{i}", QUEUE) for i in range(date_claims.MOST_WAITING + 1)],
    "by two names": [replace(fresh("x"), claim=None), fresh("y", hold=None), fresh("z", hold=None)],
    "payloads": [with_payloads(fresh())],
    "a snapshot": [replace(fresh(), body=b"other than in the event")],
    "a first tick later": [fresh(wake=Wake(queue_entries.tick("x", nonce="0", now_ms=1), 5_000))],
    "without a request": [again(fresh(), "u")],
    "without a creator": [without_creator(fresh())],
    "shares of jobs": [fresh(f"x{i}", hold=None, shares=Shares(caller_jobs=2)) for i in range(4)],
    "shares of bytes": [fresh(f"x{i}", hold=None, shares=Shares(connection_bytes=900)) for i in range(4)],
    "a store that is nearly full": [
        fresh(memory=MemoryPolicy.REFUSE),
        fresh("y"),
        fresh("y", memory=MemoryPolicy.REFUSE),
    ],
    "without an origin": [replace(fresh(), origin=NOBODY)],
}


class Store:
    """Records jobs by the script whose turn it is: "a" for `accept.lua`, "c" for the commit script."""

    def __init__(self, redis: Redis, turns: str, default: str) -> None:
        self._redis: Any = redis
        self._turns = turns
        self._default = default
        self._now_ms = BEGIN_MS
        self.answers: list[Any] = []

    async def tell(self, story: Sequence[Commit]) -> None:
        for change in story:
            await self._record(change, self._turns[len(self.answers) % len(self._turns)])

    async def _record(self, change: Commit, turn: str) -> None:
        accepts = turn == "a"
        assert acceptance.is_first(change)
        side: Any = acceptance if accepts else commit
        names, arguments = side.script_keys(change, self._default), side.script_arguments(change)
        time = f"{{'{self._now_ms // 1000}', '{self._now_ms % 1000 * 1000}'}}"
        text = side.SCRIPT.replace("redis.call('TIME')", time)
        self.answers.append(await self._redis.eval(text, len(names), *names, *arguments))
        self._now_ms += 10

    async def rows(self) -> dict[bytes, Any]:
        return {name: await content(self._redis, name) for name in await self._redis.keys("*")}


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    async with RedisServer(appendonly=False) as server, Redis.from_url(server.url) as redis:
        yield redis


@pytest.mark.parametrize("default", ["", "eu"])
@pytest.mark.parametrize("story", STORIES)
async def test_a_first_commit_ends_the_same_by_either_script(redis: Redis, story: str, default: str) -> None:
    found = []
    for turns in ("c", "a", "ac", "ca"):
        await redis.flushall()
        store = Store(redis, turns, default)
        await store.tell(STORIES[story])
        found.append((store.answers, await store.rows()))

    assert found[1:] == [found[0]] * 3
    assert found[0][1], "nothing was recorded"


async def test_a_log_without_its_job_is_told_alike(redis: Any) -> None:
    change, found = fresh(), []
    for turns in ("c", "a"):
        await redis.flushall()
        await redis.rpush(keys.log("x"), b"left")
        store = Store(redis, turns, "")
        await store.tell([change])
        found.append(store.answers)

    assert found[0] == found[1] == [[acceptance.AcceptAnswer.DAMAGED, 0, BEGIN_MS]]


async def test_a_submit_of_many_dates_is_one_look_and_one_write(redis: Redis) -> None:
    days = tuple(f"{20200000 + i}" for i in range(dates.MAX_DATES))
    made = fresh()
    assert made.hold is not None
    change = replace(made, hold=replace(made.hold, days=days))
    store = Store(redis, "a", "")
    await redis.config_resetstat()
    await store.tell([change, replace(fresh("y"), hold=change.hold)])
    stats = await redis.info("commandstats")

    assert store.answers[1][0] == acceptance.AcceptAnswer.OVERLAPPING
    assert stats["cmdstat_hset"]["calls"] <= 4 and stats["cmdstat_hmget"]["calls"] <= 4
