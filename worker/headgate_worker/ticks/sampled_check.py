"""The daily self-check of a sample of jobs, by the worker that claims the day first. It only reads, slowly."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from headgate.check import self_check
from headgate_worker.ports.clock import Jitter
from headgate_worker.ports.store import STORE_AWAY, CheckStore

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 600.0
"""How often a worker looks whether the day is claimed, about."""

PAUSE_SECONDS: Final = 0.05
"""Pause after each job, so that the work of a worker is not felt."""

MOST_LINES: Final = 50
"""Most findings of one sample that the log has lines for."""


class SampledCheck:
    """Checks some jobs a day. `checked` counts the jobs, `findings` what was not as it has to be.

    Args:
        sample: how many jobs; 0 checks none.
    """

    def __init__(self, store: CheckStore, jitter: Jitter, *, sample: int) -> None:
        self._store = store
        self._jitter = jitter
        self._sample = sample
        self.checked = 0
        self.findings = 0

    async def run(self) -> None:
        """Go on until cancelled. Redis may go and come back."""
        while self._sample:
            await asyncio.sleep(LOOK_SECONDS * (0.5 + self._jitter.fraction()))
            try:
                await self.round()
            except STORE_AWAY as error:
                _log.warning("the self-check can't reach the store (%s)", type(error).__name__)
            except Exception:
                # The owner of the task: a check that breaks must not end a worker.
                _log.exception("a self-check broke")

    async def round(self) -> bool:
        """Check the day's sample, if no worker has begun that yet; whether this one did."""
        if not self._sample or not await self._store.claim_check():
            return False
        lines = 0
        for job_id in await self._store.sample(self._sample):
            found = await self_check.check(self._store, job_id)
            self.checked += found.exists
            self.findings += len(found.findings)
            for one in found.findings[: MOST_LINES - lines]:
                _log.warning("self-check of %s: %s: %s", job_id, one.subject, one.said)
            lines += len(found.findings[: MOST_LINES - lines])
            await asyncio.sleep(PAUSE_SECONDS)
        return True
