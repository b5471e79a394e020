"""What ends the wait of a lane, on a real Redis; each wait here would last half a minute otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.queue.kick_list import KickList
from headgate_worker.store.clients import blocking_client

KEY = "headgate:test:kick"
LONGEST = 30.0
SOON = 10.0
"""Deadline of what has to come at once."""


@pytest.fixture
async def kicks(redis_server: RedisServer) -> AsyncIterator[KickList]:
    blocking = blocking_client(redis_server.url, block_seconds=LONGEST)
    made = KickList(blocking, KEY, LONGEST)
    yield made
    await made.drop()
    await blocking.aclose()


async def waiting(kicks: KickList, next_ms: int = -1) -> asyncio.Task[None]:
    """A wait that has begun."""
    task = asyncio.create_task(kicks.wait(next_ms))
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_a_kick_ends_the_wait(kicks: KickList, redis: Redis) -> None:
    wait = await waiting(kicks)

    await redis.lpush(KEY, "entry")  # type: ignore[misc]

    await asyncio.wait_for(wait, SOON)


async def test_an_entry_that_is_scheduled_meanwhile_ends_the_wait_when_it_is_due(kicks: KickList) -> None:
    wait = await waiting(kicks)

    kicks.expect(50)

    await asyncio.wait_for(wait, SOON)


async def test_what_is_scheduled_while_a_claim_is_under_way_counts_and_what_a_claim_has_seen_does_not(
    kicks: KickList,
) -> None:
    kicks.expect(50)
    kicks.forget()
    wait = await waiting(kicks)
    _, late = await asyncio.wait([wait], timeout=0.2)
    assert late
    kicks.stop()
    await asyncio.wait_for(wait, SOON)


async def test_what_is_expected_later_than_the_next_entry_changes_nothing(kicks: KickList) -> None:
    kicks.forget()
    kicks.expect(60_000)

    await asyncio.wait_for(kicks.wait(20), SOON)


async def test_a_kick_after_a_wait_that_ended_by_time_is_not_lost(kicks: KickList, redis: Redis) -> None:
    await asyncio.wait_for(kicks.wait(20), SOON)
    kicks.forget()

    await redis.lpush(KEY, "entry")  # type: ignore[misc]

    await asyncio.wait_for(kicks.wait(-1), SOON)


async def test_kicks_that_were_left_to_others_reach_them(kicks: KickList, redis: Redis) -> None:
    await asyncio.wait_for(kicks.wait(20), SOON)
    await kicks.drop()

    await redis.lpush(KEY, "entry")  # type: ignore[misc]

    assert await redis.llen(KEY) == 1  # type: ignore[misc]


async def test_a_stop_ends_the_wait_and_each_one_after_it(kicks: KickList) -> None:
    wait = await waiting(kicks)

    kicks.stop()

    await asyncio.wait_for(wait, SOON)
    await asyncio.wait_for(kicks.wait(-1), SOON)
