"""The reaper: schedules ticks of late jobs anew, deletes expired jobs, recounts charges. Every worker runs one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from headgate.store import queue_entries
from headgate_worker.ports.clock import Clock, Jitter
from headgate_worker.ports.store import STORE_AWAY, LateTicks, ReaperStore

_log = logging.getLogger(__name__)

LATE_PER_ROUND: Final = 500
"""Most late jobs that one round looks at; a full round is followed by the next at once."""

EXPIRED_PER_ROUND: Final = 100
"""Most jobs that one round deletes."""

RECOUNT_LOOK_MS: Final = 60_000
"""How often it is asked whether charges are to be counted anew, while they are not."""

WORKER_LIFETIME_MS: Final = 15_000
"""A worker without a heartbeat for so long is taken for dead."""


class Reaper:
    """Looks for late and expired jobs, every `period_seconds` and a jitter of half of that.

    `late` counts late ticks that were seen, `requeued` those whose entry was lost and that got another one.

    Args:
        announce: called with the time in every round; writes what this worker serves.
    """

    def __init__(
        self,
        store: ReaperStore,
        clock: Clock,
        jitter: Jitter,
        worker_id: str,
        *,
        period_seconds: float,
        announce: Callable[[int], Awaitable[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._jitter = jitter
        self._worker_id = worker_id
        self._period = period_seconds
        self._announce = announce
        self.requeued = 0
        self.late = 0
        self.stopped = False
        self._recounts_at_ms = 0

    @property
    def given_up(self) -> int:
        """Jobs that this worker has given up since they can't be read."""
        return self._store.given_up

    async def run(self) -> None:
        """Go on until stopped and cancelled; see `Tick.keep` for why both. Redis may go and come back."""
        while not self.stopped:
            full = False
            try:
                full = await self.round()
            except STORE_AWAY as error:
                self._store.was_away()
                _log.warning("the reaper can't reach the store (%s)", type(error).__name__)
            except Exception:
                # The owner of the task: without a reaper no late job would ever be requeued.
                _log.exception("a round of the reaper broke")
            if not full:
                await asyncio.sleep(self._period * (0.75 + 0.5 * self._jitter.fraction()))

    async def round(self) -> bool:
        """One look at everything; whether there may be more late jobs."""
        late = await self._store.late_jobs(LATE_PER_ROUND)
        self._clock.learn(late.now_ms)
        self.late += late.looked_at
        if late.lost:
            await self._requeue(late)
        for job_id in await self._store.expired_jobs(late.now_ms, EXPIRED_PER_ROUND):
            await self._store.delete_expired(job_id)
        await self._recount(late.now_ms)
        await self._store.heartbeat(self._worker_id, late.now_ms, lifetime_ms=WORKER_LIFETIME_MS)
        await self._announce(late.now_ms)
        return late.looked_at == LATE_PER_ROUND

    async def _recount(self, now_ms: int) -> None:
        if now_ms >= self._recounts_at_ms:
            has_more = await self._store.recount()
            self._recounts_at_ms = 0 if has_more else now_ms + RECOUNT_LOOK_MS

    async def _requeue(self, late: LateTicks) -> None:
        _log.info("ringing for %d late jobs", len(late.lost))
        ticks = {
            job_id: queue_entries.tick(job_id, nonce=self._jitter.nonce(), now_ms=late.now_ms) for job_id in late.lost
        }
        self.requeued += await self._store.requeue(ticks, late.first_ms)
