"""A client of Redis whose commands go out together with those of all other callers, on one connection.

To its callers it is redis-py's client, which costs several times as much CPU: for each command it takes a connection
from its pool, asks whether it still stands, writes, reads and gives it back (docs/performance.md). Pipelines still go
that way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis

from headgate_redis.pipeline import Pipeline
from headgate_redis.script import Script

GROUPS: Final = 2
"""Groups of commands under way at once: the worker goes on with the answers of one while Redis works on the next."""


class PipelinedRedis(Redis):
    """Sends commands through a pipe of its own, which runs from the first command until `aclose`.

    Args:
        pool: for pipelines.
        patient: makes the connection of the pipe; its connections must not have a socket timeout of their own.
        timeout: longest time, in seconds, that one group of commands may take.
    """

    def __init__(self, pool: ConnectionPool, patient: ConnectionPool, *, timeout: float) -> None:
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._patient = patient  # a connection behind Sentinels knows its pool only weakly
        self._pipeline = Pipeline(patient.make_connection, timeout=timeout, depth=GROUPS)
        self._running: asyncio.Task[None] | None = None

    @property
    def shared_pipeline(self) -> Pipeline:
        """The pipe, which runs."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._pipeline.run(), name="pipe")
        return self._pipeline

    def register_script(self, script: Any) -> Any:
        """A script that is called with `keys` and `args`, as redis-py's is, at a part of its cost."""
        return _Registered(self, Script(script))

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and give its reply as redis-py gives it.

        Raises:
            ReplyLost: a ConnectionError of redis-py: no answer came.
            redis.exceptions.ResponseError: Redis refused it.
        """
        name = args[0]
        reply = await self.shared_pipeline.call((*name.split(), *args[1:]) if " " in name else args)
        understand = self.response_callbacks.get(name)
        options.pop("keys", None)
        return reply if understand is None else understand(reply, **options)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """End the pipe, so that waiting calls end with ReplyLost, and close every connection."""
        running, self._running = self._running, None
        while running is not None and not running.done():
            running.cancel()  # again and again: redis-py connects within a wait_for, which can drop a cancellation
            await asyncio.wait((running,), timeout=0.5)
        await super().aclose(close_connection_pool)


class _Registered:
    """A script of one client."""

    def __init__(self, client: PipelinedRedis, script: Script) -> None:
        self._client = client
        self._script = script

    async def __call__(self, keys: Sequence[str] = (), args: Sequence[bytes | str | int | float] = ()) -> Any:
        return await self._script.run(self._client.shared_pipeline, keys, args)
