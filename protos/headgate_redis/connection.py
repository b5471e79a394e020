"""A connection to Redis that hands on each reply where it arrives.

redis-py connects: it knows TLS, users and Sentinels. Then its transport is ours. Its own way for a reply, through a
stream, a parser and the task that waits for it, takes two more turns of the event loop and more CPU than all the rest
of a short command (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import hiredis
from redis.asyncio.connection import AbstractConnection

_log = logging.getLogger(__name__)

_MORE: Final = object()
"""Stands for a reply that has not come whole yet."""

_HELD: Final = attrgetter("_writer.transport", "_parser.parse_error")
"""What a connection of redis-py 5 holds and has no public name for; the tests of the pipe break if that changes."""


class RedisConnection(asyncio.Protocol):
    """One connection that stands, until `on_lost` is called or it is closed.

    Args:
        parse_error: makes an exception of what Redis says in an error reply.
        on_reply: is given each reply, in order: bytes, a number, a list, None, or an exception as a value.
        on_lost: called once when the connection is lost, unless it was closed from here.
    """

    def __init__(
        self,
        parse_error: Callable[[str], Exception],
        on_reply: Callable[[Any], None],
        on_lost: Callable[[RedisConnection], None],
    ) -> None:
        self._replies = hiredis.Reader(replyError=parse_error, notEnoughData=_MORE)
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None

    def take(self, transport: asyncio.Transport) -> None:
        """Read and write by this transport from now on."""
        self._transport = transport
        transport.set_protocol(self)

    def send(self, packed: bytes) -> None:
        """Send commands; without an error where the connection is lost, which calls `on_lost`."""
        if self._transport is not None:
            self._transport.write(packed)

    def close(self) -> None:
        """Drop the connection without a word to `on_lost`."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand on each reply that has come whole."""
        try:
            self._replies.feed(data)
            while self._transport is not None and (reply := self._replies.gets(False)) is not _MORE:
                self._on_reply(reply)
        except hiredis.ProtocolError:
            _log.error("what answers at the store's address does not speak Redis' protocol")
            self._lose()

    def eof_received(self) -> None:
        """Redis has closed the connection."""
        self._lose()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._lose()

    def _lose(self) -> None:
        if self._transport is not None:
            self.close()
            self._on_lost(self)


async def connect(
    connection: AbstractConnection, on_reply: Callable[[Any], None], on_lost: Callable[[RedisConnection], None]
) -> RedisConnection:
    """Connect anew, and take the connection over from redis-py.

    Raises:
        redis.exceptions.RedisError: it can't be reached, or refuses the login.
        OSError: the same.
    """
    await connection.disconnect(nowait=True)
    await connection.connect()  # type: ignore[no-untyped-call]
    transport, parse_error = _HELD(connection)
    link = RedisConnection(parse_error, on_reply, on_lost)
    link.take(transport)
    return link
