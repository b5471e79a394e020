"""How full the store is: asked of Redis once a second by each server process, so that no call asks.

Above a mark below its memory limit no new work is taken, and what is left is a reserve for cancels, deletions and what
workers write. Adapter; a store that can't be asked keeps its last answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from headgate.store.commit import MemoryPolicy
from headgate_redis.pipeline import Pipeline
from headgate_server.errors.exceptions import ServerError
from headgate_server.store.errors import translated

_log = logging.getLogger(__name__)

ASK_SECONDS: Final = 1.0
"""How often Redis is asked. What comes in meanwhile may go above the mark, and at the limit Redis itself refuses it."""


class StoreMemory:
    """The memory of the store by Redis' last answer: `used` bytes that count against `limit`, which is 0 for none.

    Args:
        reads: pipe to ask on.
        mark: share of the limit from which on no new work is taken, above 0 and at most 1; 1 leaves it to Redis.
    """

    def __init__(self, reads: Pipeline, mark: float) -> None:
        self._reads = reads
        self._mark = mark
        self.used = 0
        self.limit = 0

    @property
    def is_nearly_full(self) -> bool:
        """Whether the mark is reached."""
        return self._mark < 1 and 0 < self.limit * self._mark <= self.used

    def of_new_work(self) -> MemoryPolicy:
        """What becomes of a commit that makes new work now."""
        return MemoryPolicy.REFUSE if self.is_nearly_full else MemoryPolicy.SPARE

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self.ask()
            except ServerError as error:
                _log.warning("Redis does not tell its memory (%s)", type(error).__name__)
            except Exception:
                # The owner of the task: without it the mark would stand where it was last seen for ever.
                _log.exception("Redis' memory can't be read")
            await asyncio.sleep(ASK_SECONDS)

    async def ask(self) -> None:
        """Ask once.

        Raises:
            StoreUnavailable: no answer.
        """
        with translated():
            told = parse(await self._reads.call(("INFO", "memory")))
        was = self.is_nearly_full
        self.used, self.limit = told
        if self.is_nearly_full != was:
            state = "nearly full: no new work is taken" if self.is_nearly_full else "no longer nearly full"
            _log.warning("the store is %s (%d of %d bytes)", state, *told)


def parse(info: bytes) -> tuple[int, int]:
    """Bytes that count against the memory limit, and the limit, from INFO memory. Missing lines are 0."""
    rows = (line.partition(b":") for line in info.splitlines())
    found = {name: int(value) for name, _, value in rows if value.isdigit()}
    used = found.get(b"used_memory", 0) - found.get(b"mem_not_counted_for_evict", 0)
    return max(0, used), found.get(b"maxmemory", 0)
