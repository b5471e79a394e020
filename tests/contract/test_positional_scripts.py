"""Each script does what its text did before it had a header: the same answers and rows, by no more calls.

`positional/` has those texts, of 381264d. A story of calls is told by the earlier texts, by those of now, and by turns
in both orders, each on an empty store, at times that the test gives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from headgate_cli.dev.redis_server import RedisServer
from tests.contract.script_stories import NOW, POSITIONAL, STORIES, TURNS, Story, Teller


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    async with RedisServer(appendonly=False) as server:
        yield server


async def told(redis: Any, story: Story, turns: str) -> tuple[list[Any], dict[bytes, Any], int]:
    """What a story's scripts answer, what they leave in the store, and how often each command was called."""
    await redis.flushall()
    await redis.config_resetstat()
    teller = Teller(redis, turns)
    await story(teller)
    stats = await redis.info("commandstats")
    calls = sum(figures["calls"] for name, figures in stats.items() if name not in {"cmdstat_time", "cmdstat_eval"})
    return teller.answers, {name: await content(redis, name) for name in await redis.keys("*")}, calls


async def content(redis: Any, name: bytes) -> Any:
    """What a key holds; entries of streams without their ids, which have the server's time."""
    kind = await redis.type(name)
    if kind == b"stream":
        return [fields for _, fields in await redis.xrange(name)]
    reads = {b"string": redis.get, b"hash": redis.hgetall}
    if kind in reads:
        return await reads[kind](name)
    if kind == b"list":
        return await redis.lrange(name, 0, -1)
    return await redis.zrange(name, 0, -1, withscores=True)


@pytest.mark.parametrize("turns", ["now", "earlier-now", "now-earlier"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_ends_the_same_by_both_forms(server: RedisServer, story: Story, turns: str) -> None:
    async with Redis.from_url(server.url) as redis:
        answers, rows, calls = await told(redis, story, TURNS[turns])
        before = await told(redis, story, TURNS["earlier"])
        assert (answers, rows) == before[:2]
        assert calls <= before[2]


def test_every_earlier_text_has_its_script() -> None:
    assert {path.stem for path in POSITIONAL.glob("*.lua")} == set(NOW)
