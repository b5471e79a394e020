"""Withdrawn reads: their caller has hung up, or was answered that the read took too long.

They are taken out of the lane, many at once, whether a worker has begun or not: one that has finds its claim gone when
it renews it, and stops. Nothing depends on it: an entry that stays is let go at its deadline.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from headgate_server.errors.exceptions import ServerError

_log = logging.getLogger(__name__)

BATCH: Final = 500
"""Most entries that are taken out with one call."""


class WithdrawQueue(Protocol):
    """Port: where the entries stand."""

    async def withdraw(self, entry_ids: list[str]) -> None:
        """Take entries out, waiting or claimed."""


class WithdrawnReads:
    """The entries that are to be taken out. There are never more than reads that were open at once."""

    def __init__(self, lane: WithdrawQueue) -> None:
        self._lane = lane
        self._entry_ids: list[str] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, entry_id: str) -> None:
        """Have an entry taken out, soon."""
        self._entry_ids.append(entry_id)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._withdraw(), name="withdraw reads")

    async def _withdraw(self) -> None:
        while self._entry_ids:
            batch, self._entry_ids = self._entry_ids[:BATCH], self._entry_ids[BATCH:]
            try:
                await self._lane.withdraw(batch)
            except ServerError as error:
                _log.warning("%d reads that nobody waits for stay until their deadline: %s", len(batch), error)
            except Exception:
                _log.exception("reads can't be withdrawn")
