"""A connection to Redis whose replies are handed on where they arrive; the other end is a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Connection
from redis.exceptions import RedisError, ResponseError

from headgate_cli.dev.redis_server import RedisServer
from headgate_redis.connection import RedisConnection, connect


class End:
    """What one end has heard of a connection."""

    def __init__(self) -> None:
        self.replies: list[Any] = []
        self.lost = 0
        self.heard = asyncio.Event()

    def reply(self, found: Any) -> None:
        self.replies.append(found)
        self.heard.set()

    def gone(self, link: RedisConnection) -> None:
        self.lost += 1
        self.heard.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not done():
                self.heard.clear()
                await self.heard.wait()


@asynccontextmanager
async def linked(end: End) -> AsyncIterator[tuple[RedisConnection, asyncio.StreamWriter]]:
    """A link, and the writer of the server at its other end."""
    arrived: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    listener = await asyncio.start_server(lambda _, writer: arrived.put_nowait(writer), "127.0.0.1", 0)
    link = RedisConnection(ResponseError, end.reply, end.gone)
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, *listener.sockets[0].getsockname()[:2]
    )
    link.take(transport)
    writer = await arrived.get()
    try:
        yield link, writer
    finally:
        link.close()
        writer.close()
        listener.close()


async def test_replies_come_in_order_whatever_parts_they_arrive_in() -> None:
    end = End()
    async with linked(end) as (_, server):
        for byte in b"$5\r\nhello\r\n:7\r\n*2\r\n:1\r\n$-1\r\n":
            server.write(bytes([byte]))
            await server.drain()
        await end.until(lambda: len(end.replies) == 3)

    assert end.replies == [b"hello", 7, [1, None]] and end.lost == 0


async def test_an_error_is_a_value_like_others() -> None:
    end = End()
    async with linked(end) as (_, server):
        server.write(b"-WRONGTYPE no\r\n+OK\r\n")
        await end.until(lambda: len(end.replies) == 2)

    assert isinstance(end.replies[0], ResponseError) and end.replies[1] == b"OK"


async def test_what_is_no_reply_loses_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    end = End()
    async with linked(end) as (link, server):
        server.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await end.until(lambda: end.lost == 1)
        link.send(b"PING\r\n")  # goes nowhere, without an error

    assert "does not speak Redis' protocol" in caplog.text and end.replies == []


async def test_a_server_that_closes_is_told_once() -> None:
    end = End()
    async with linked(end) as (link, server):
        server.close()
        await end.until(lambda: end.lost == 1)
        link.connection_lost(None)

    assert end.lost == 1


async def test_a_connection_that_is_closed_from_here_tells_nothing() -> None:
    end = End()
    async with linked(end) as (link, server):
        link.close()
        server.write(b":1\r\n")
        await asyncio.sleep(0)
        link.eof_received()

    assert end.lost == 0 and end.replies == []


async def test_a_connection_is_taken_over_from_the_driver(redis_server: RedisServer) -> None:
    end = End()
    port = int(redis_server.url.rpartition(":")[2].partition("/")[0])
    driver = Connection(host="127.0.0.1", port=port)
    try:
        link = await connect(driver, end.reply, end.gone)
        link.send(b"PING\r\nECHO hi\r\nNONSENSE\r\n")
        await end.until(lambda: len(end.replies) == 3)
        await redis_server.kill()
        await end.until(lambda: end.lost == 1)
        with pytest.raises((RedisError, OSError)):
            await connect(driver, end.reply, end.gone)
    finally:
        await driver.disconnect(nowait=True)

    assert end.replies[:2] == [b"PONG", b"hi"] and isinstance(end.replies[2], Exception)
