"""The worker's client of Redis: to its callers it is redis-py's, whichever way the commands go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.store.clients import close, command_client
from tests.worker.conftest import eventually


async def test_answers_are_those_of_redis_py(redis: Redis, redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url) as plain:
        await redis.hset("h", mapping={"a": 1, "b": 2.5})  # type: ignore[misc]
        await redis.zadd("z", {"one": 1, "two": 2})
        asks: tuple[Callable[[Any], Any], ...] = (
            lambda client: client.hgetall("h"),
            lambda client: client.zrange("z", 0, -1, withscores=True),
            lambda client: client.zscore("z", "two"),
            lambda client: client.mget("no", "z2"),
            lambda client: client.set("k", "v", px=1_000),
            lambda client: client.exists("h", "k"),
            lambda client: client.config_get("maxmemory*"),
            lambda client: client.info("replication"),
        )
        for ask in asks:
            assert await ask(redis) == await ask(plain)


async def test_a_script_that_redis_has_forgotten_is_sent_again(redis: Redis) -> None:
    script = redis.register_script("return ARGV[1]")
    assert await script(args=["once"]) == b"once"
    await redis.script_flush()
    assert await script(args=["again"]) == b"again"


async def test_commands_of_many_callers_take_one_connection(redis: Redis) -> None:
    await asyncio.gather(*(redis.incr("n") for _ in range(500)))
    assert await redis.get("n") == b"500"
    assert (await redis.info("clients"))["connected_clients"] == 1


async def test_calls_that_wait_when_it_is_closed_end_as_lost(redis: Redis, redis_server: RedisServer) -> None:
    client = command_client(redis_server.url, connections=2)
    asked: Any = client.blpop(["never"], timeout=30)
    waiting = asyncio.create_task(asked)

    async def under_way() -> bool:
        return bool((await redis.info("clients"))["blocked_clients"])

    await eventually(under_way)
    await close(client)
    with pytest.raises(RedisConnectionError):
        await waiting
