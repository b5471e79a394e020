"""The read lane in Redis: questions go to any worker, answers come back on a list of this process."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection

from headgate.store import keys
from headgate.store.queue_entries import QueueEntry
from headgate_redis.pipeline import Command, Pipeline
from headgate_server.store.errors import translated

KICKS: Final = 1_000
"""Most kicks that wait for workers; one that is dropped costs a poll interval of a worker."""

BATCH: Final = 100
"""Most answers taken at a time."""


class RedisReadQueue:
    """Questions and answers.

    Args:
        pipeline: for the questions.
        connection: for the answers; unconnected, without a socket timeout of its own, since taking them blocks.
        process_id: names the list of this process.
        block_seconds: longest time one look for answers waits.
        timeout: longest time, in seconds, a reply may take beyond that.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        connection: AbstractConnection,
        process_id: str,
        *,
        block_seconds: int = 2,
        timeout: float = 3.0,
    ) -> None:
        self._pipeline = pipeline
        self._connection = connection
        self._block_seconds = block_seconds
        self._timeout = timeout
        self.reply_to = keys.replies(process_id)

    async def ask(self, entry: QueueEntry, *, now_ms: int, ttl_ms: int) -> None:
        """Put a question up for any worker. It vanishes by itself after `ttl_ms`.

        Raises:
            StoreUnavailable: it may or may not have been put up.
        """
        kick = keys.kick(keys.READS)
        commands: tuple[Command, ...] = (
            ("MULTI",),
            ("PSETEX", keys.arq_job(entry.id), ttl_ms, entry.definition),
            ("ZADD", keys.READS, now_ms, entry.id),
            ("LPUSH", kick, entry.id),
            ("LTRIM", kick, 0, KICKS - 1),
            ("EXEC",),
        )
        with translated():
            await self._pipeline.call(*commands)

    async def withdraw(self, entry_ids: list[str]) -> None:
        """Take entries out: a waiting one vanishes, and the worker of a claimed one finds its claim gone.

        Raises:
            StoreUnavailable: they may or may not have been taken out.
        """
        names = (keys.arq_job, keys.arq_in_progress, keys.arq_retry)
        gone = (name(entry_id) for entry_id in entry_ids for name in names)
        with translated():
            await self._pipeline.call(("MULTI",), ("ZREM", keys.READS, *entry_ids), ("UNLINK", *gone), ("EXEC",))

    async def take(self) -> list[bytes]:
        """The answers that have come, waiting for one for a while; empty when none came."""
        with translated():
            try:
                async with asyncio.timeout(self._timeout + self._block_seconds):
                    found = await self._send("BLPOP", self.reply_to, self._block_seconds)
                    return [found[1], *(await self._send("LPOP", self.reply_to, BATCH) or ())] if found else []
            except TimeoutError:
                await self._connection.disconnect(nowait=True)
                raise

    async def close(self) -> None:
        """Let the connection go."""
        await self._connection.disconnect(nowait=True)

    async def _send(self, *command: Any) -> Any:
        await self._connection.send_command(*command, check_health=False)
        return await self._connection.read_response(disable_decoding=True)
