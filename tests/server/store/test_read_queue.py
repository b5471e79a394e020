"""Questions to workers and answers from them, on a real Redis."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.store import keys
from headgate.store.queue_entries import QueueEntry
from headgate_redis.pipeline import Pipeline
from headgate_server.store.connections import RedisLink
from headgate_server.store.read_queue import KICKS, RedisReadQueue


@pytest.fixture
async def queue(link: RedisLink, pipeline: Pipeline) -> AsyncIterator[RedisReadQueue]:
    made = RedisReadQueue(pipeline, link.connection(), "p1", block_seconds=1)
    yield made
    await made.close()


async def test_a_question_stands_in_the_lane_and_a_worker_is_woken(queue: RedisReadQueue, redis: Any) -> None:
    await queue.ask(QueueEntry("e1", b"definition"), now_ms=5_000, ttl_ms=60_000)

    assert await redis.zrange(keys.READS, 0, -1, withscores=True) == [(b"e1", 5_000.0)]
    assert await redis.get(keys.arq_job("e1")) == b"definition"
    assert 50_000 < await redis.pttl(keys.arq_job("e1")) <= 60_000
    assert await redis.lrange(keys.kick(keys.READS), 0, -1) == [b"e1"]


async def test_kicks_that_nobody_takes_are_bounded(queue: RedisReadQueue, redis: Any) -> None:
    await redis.rpush(keys.kick(keys.READS), *range(KICKS))

    await queue.ask(QueueEntry("e1", b"x"), now_ms=1, ttl_ms=60_000)

    kicks = await redis.lrange(keys.kick(keys.READS), 0, -1)
    assert len(kicks) == KICKS and kicks[0] == b"e1"


async def test_a_question_that_is_withdrawn_leaves_nothing_claimed_or_not(queue: RedisReadQueue, redis: Any) -> None:
    for name in ("e1", "e2", "e3"):
        await queue.ask(QueueEntry(name, b"x"), now_ms=1, ttl_ms=60_000)
    await redis.set(keys.arq_in_progress("e2"), b"1")
    await redis.set(keys.arq_retry("e2"), b"1")

    await queue.withdraw(["e1", "e2"])

    assert await redis.zrange(keys.READS, 0, -1) == [b"e3"]
    assert not await redis.exists(
        keys.arq_job("e1"), keys.arq_job("e2"), keys.arq_in_progress("e2"), keys.arq_retry("e2")
    )


async def test_answers_are_taken_oldest_first_and_none_is_no_error(queue: RedisReadQueue, redis: Any) -> None:
    assert await queue.take() == []
    await redis.rpush(keys.replies("p1"), b"1", b"2", b"3")

    assert await queue.take() == [b"1", b"2", b"3"]
    assert not await redis.exists(keys.replies("p1"))
