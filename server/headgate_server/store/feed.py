"""The feed in Redis: the stream of all events, read by one connection per server process."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection

from headgate.messages.feed_entries import FeedEntry, FeedId, entry_of, id_of
from headgate.store import keys
from headgate_server.store.errors import translated

BATCH: Final = 500
"""Most entries one read takes."""


class RedisFeed:
    """The feed, on a connection of its own, since its reads block.

    Args:
        connection: unconnected, without a socket timeout of its own.
        block_ms: longest time a read waits for entries.
        timeout: longest time, in seconds, an answer may take beyond that.
    """

    def __init__(self, connection: AbstractConnection, *, block_ms: int = 2_000, timeout: float = 3.0) -> None:
        self._connection = connection
        self._block_ms = block_ms
        self._timeout = timeout

    async def tip(self) -> FeedId:
        """Id of the newest entry; zero when the feed is empty."""
        found = await self._ask("XREVRANGE", keys.FEED, "+", "-", "COUNT", 1)
        return id_of(found[0][0]) if found else (0, 0)

    async def read(self, after: FeedId) -> list[FeedEntry]:
        """The entries after an id, waiting for one for a while; empty when none came."""
        position = f"{after[0]}-{after[1]}"
        found = await self._ask("XREAD", "COUNT", BATCH, "BLOCK", self._block_ms, "STREAMS", keys.FEED, position)
        return [entry_of(row) for row in found[0][1]] if found else []

    async def close(self) -> None:
        """Let the connection go."""
        await self._connection.disconnect(nowait=True)

    async def _ask(self, *command: Any) -> Any:
        with translated():
            try:
                async with asyncio.timeout(self._timeout + self._block_ms / 1000):
                    await self._connection.send_command(*command, check_health=False)
                    return await self._connection.read_response(disable_decoding=True)
            except TimeoutError:
                await self.close()
                raise
