"""Callers and connections share the slots of a lane, on a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable

import pytest
from redis.asyncio import Redis

from headgate.process import caller_rules
from headgate.store import keys, queue_entries
from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.queue import lane_shares
from headgate_worker.queue.lane_shares import LaneShares
from tests.worker.conftest import eventually
from tests.worker.queue.test_leased_worker import QUEUE, definition, idle, lane

SLOTS = 20


def ids(caller: str, connection: str, count: int) -> list[str]:
    asked = queue_entries.ReadRequest(1, "Get", b"", "list", 7, caller)
    return [queue_entries.read(asked, nonce=f"{n:x}", now_ms=7, connection=connection).id for n in range(count)]


class Work:
    """Entries that run until they are told to end, counted by who asked."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.ended = 0
        self.release = asyncio.Semaphore(0)

    async def run(self, who: str) -> None:
        self.begun[who] += 1
        async with self.release:
            self.ended += 1
        self.release.release()

    async def has_begun(self, **counts: int) -> bool:
        return all(self.begun[who] == count for who, count in counts.items())


async def put_all(redis: Redis, entry_ids: Iterable[str], who: str) -> None:
    now_ms = int(time.time() * 1000)
    async with redis.pipeline(transaction=False) as pipe:
        for entry_id in entry_ids:
            pipe.psetex(keys.arq_job(entry_id), 60_000, definition("work", who))
            pipe.zadd(QUEUE, {entry_id: now_ms})
            pipe.lpush(keys.kick(QUEUE), entry_id)
        await pipe.execute()


async def test_one_caller_has_half_of_the_slots_and_another_one_begins_at_once(
    redis: Redis, redis_server: RedisServer
) -> None:
    work = Work()
    async with lane(redis, redis_server, {"work": work.run}, slots=SLOTS, shared=True):
        await put_all(redis, ids("noisy", "", 200), "noisy")
        await eventually(lambda: work.has_begun(noisy=SLOTS // 2))

        await put_all(redis, ids("quiet", "", 3), "quiet")
        await eventually(lambda: work.has_begun(quiet=3), seconds=5)

        assert work.begun["noisy"] == SLOTS // 2
        work.release.release()
        await eventually(lambda: idle(redis))
    assert work.ended == 203


async def test_two_callers_leave_a_third(redis: Redis, redis_server: RedisServer) -> None:
    work = Work()
    async with lane(redis, redis_server, {"work": work.run}, slots=SLOTS, shared=True):
        await put_all(redis, ids("first", "a", 50), "first")
        await eventually(lambda: work.has_begun(first=SLOTS // 2))
        await put_all(redis, ids("second", "b", 50), "second")
        await eventually(lambda: work.has_begun(second=SLOTS // 4))
        await put_all(redis, ids("third", "a", 1), "third")
        await eventually(lambda: work.has_begun(third=1), seconds=5)
        work.release.release()
        await eventually(lambda: idle(redis))
    assert work.ended == 101


async def test_all_callers_of_a_connection_leave_a_fifth_to_others(redis: Redis, redis_server: RedisServer) -> None:
    work = Work()
    async with lane(redis, redis_server, {"work": work.run}, slots=SLOTS, shared=True):
        for number in range(40):
            await put_all(redis, ids(f"caller-{number}", "slow", 1), "slow")
        await eventually(lambda: work.has_begun(slow=SLOTS * 4 // 5))
        await put_all(redis, ids("other", "quick", 1), "quick")
        await eventually(lambda: work.has_begun(quick=1), seconds=5)
        work.release.release()
        await eventually(lambda: idle(redis))


async def test_connections_share_where_callers_are_not_told_apart(redis: Redis, redis_server: RedisServer) -> None:
    work = Work()
    async with lane(redis, redis_server, {"work": work.run}, slots=SLOTS, shared=True):
        await put_all(redis, ids(caller_rules.ANONYMOUS, "slow", 3_000), "slow")
        await eventually(lambda: work.has_begun(slow=SLOTS // 2))
        await put_all(redis, ids(caller_rules.ANONYMOUS, "quick", 1), "quick")
        await eventually(lambda: work.has_begun(quick=1), seconds=5)
        await redis.delete(QUEUE)
        work.release.release()


async def test_entries_of_servers_that_do_not_say_who_asks_are_run_too(redis: Redis, redis_server: RedisServer) -> None:
    work = Work()
    work.release.release()
    async with lane(redis, redis_server, {"work": work.run}, slots=SLOTS, shared=True):
        await put_all(redis, [f"read:{number}" for number in range(50)], "old")
        await eventually(lambda: idle(redis))
    assert work.ended == 50


async def test_the_kicks_of_entries_that_are_held_back_are_left_to_other_workers(
    redis: Redis, redis_server: RedisServer
) -> None:
    work = Work()
    async with lane(redis, redis_server, {"work": work.run}, slots=2, shared=True, owner="full"):
        await put_all(redis, ids("noisy", "", 2), "noisy")
        await eventually(lambda: work.has_begun(noisy=1))
        assert await redis.exists(keys.kick(QUEUE))
        async with lane(redis, redis_server, {"work": work.run}, slots=2, shared=True, owner="free", poll_seconds=30):
            await eventually(lambda: work.has_begun(noisy=2), seconds=5)
            work.release.release()
            await eventually(lambda: idle(redis))


@pytest.mark.parametrize("entry_id", ["read:1:etl:shanghai", "read:1:anonymous:", "read:1", "tick:t:1"])
def test_what_is_counted_in_is_counted_out(entry_id: str) -> None:
    shares = LaneShares()
    shares.begin(entry_id)
    assert shares.arguments()[0] == len(set(lane_shares.subjects_of(entry_id)))
    shares.end(entry_id)
    assert shares.arguments() == [0]
