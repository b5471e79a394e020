"""Where a lane waits: for a kick, for the next entry that is due, or for its stop.

The blocking read of the kick list outlives a wait that ends by time: cutting it off would cost a connection. A tick
that schedules its job's next one tells so here, since the claim before could not know of that entry.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

from redis.asyncio import Redis

LEAST_SECONDS: Final = 0.005
"""Shortest wait for an entry that is due soon."""


class KickList:
    """The waits of one lane; `key` is the list that others push to, `longest` the longest wait in seconds."""

    def __init__(self, blocking: Redis, key: str, longest: float) -> None:
        self._blocking = blocking
        self._key = key
        self._longest = longest
        self._kick: asyncio.Future[Any] | None = None
        self._changed = asyncio.Event()
        self._wake_at = math.inf
        self._stopped = False

    def expect(self, delay_ms: int) -> None:
        """End the wait, the one that goes on or the next, in so many ms at the latest: an entry is due then."""
        at = asyncio.get_running_loop().time() + max(LEAST_SECONDS, delay_ms / 1000)
        if at < self._wake_at:
            self._wake_at = at
            self._changed.set()

    def stop(self) -> None:
        """End the wait that goes on, and each one after it."""
        self._stopped = True
        self._changed.set()

    def forget(self) -> None:
        """Forget what is expected: a claim that is sent now sees it, and says when the next entry is due."""
        self._wake_at = math.inf

    async def wait(self, next_ms: int) -> None:
        """Wait for a kick, for the next entry, due in `next_ms` (below 0: none is known), or for what is expected.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        seconds = self._longest if next_ms < 0 else min(self._longest, max(LEAST_SECONDS, next_ms / 1000))
        now = asyncio.get_running_loop().time
        self._wake_at = min(self._wake_at, now() + seconds)
        while not self._stopped and (left := self._wake_at - now()) > 0:
            if await self._is_kicked(left):
                return

    async def drop(self) -> None:
        """Leave the kicks to other lanes."""
        kick, self._kick = self._kick, None
        if kick is not None:
            kick.cancel()
            await asyncio.gather(kick, return_exceptions=True)

    async def _is_kicked(self, seconds: float) -> bool:
        """Whether a kick came within so many seconds; sooner False when something has changed."""
        self._changed.clear()
        if self._kick is None:
            self._kick = asyncio.ensure_future(self._blocking.blpop([self._key], timeout=self._longest))  # type: ignore[arg-type]
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((self._kick, changed), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            await asyncio.gather(changed, return_exceptions=True)
        if not self._kick.done():
            return False
        kick, self._kick = self._kick, None
        return kick.result() is not None
