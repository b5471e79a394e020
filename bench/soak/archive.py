"""Reads jobs that have ended before their time in the store is over, and has each judged with its watcher's record."""

from __future__ import annotations

import asyncio
import time

from bench.chaos.stage import Stage
from bench.chaos.truth import Stored
from bench.chaos.watches import Record
from bench.soak.tally import SoakTally
from redis.exceptions import RedisError

from headgate.store import keys

PERIOD_SECONDS = 5.0
"""Between two looks; much shorter than a job is kept."""

PATIENCE_SECONDS = 45.0
"""For how long after a job's end its watcher may still get it."""


class Archive:
    """Follows a run beside it; `tally` has what was found."""

    def __init__(self, stage: Stage) -> None:
        self.tally = SoakTally()
        self._stage = stage
        self._records: dict[str, Record] = {}
        self._pending: dict[str, tuple[Stored, float]] = {}
        self._calls_seen = 0

    def watching(self, record: Record) -> None:
        """Note who watches a job; its messages are forgotten once they are judged."""
        self._records[record.job_id] = record

    async def run(self) -> None:
        """Look again and again, until cancelled; the store may be away meanwhile."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            try:
                await self.look()
            except RedisError:
                continue  # one of the faults; a job is kept for longer than that

    async def look(self, *, last: bool = False) -> None:
        """Take in what has ended since. The `last` time none is waited for."""
        await self._take_in()
        for job_id, (job, at) in tuple(self._pending.items()):
            record = self._records.get(job_id)
            if last or record is None or record.ended or time.monotonic() > at + PATIENCE_SECONDS:
                del self._pending[job_id]
                self.judge(job)
        ledger = self._stage.emulator.ledger
        rows = ledger.rows(after=self._calls_seen)
        self.tally.judge_calls(rows, ledger.total - self._calls_seen - len(rows))
        self._calls_seen = ledger.total

    def judge(self, job: Stored) -> None:
        """Judge one job now, and forget what its watcher was given."""
        record = self._records.pop(job.job_id, None)
        self.tally.judge(job, record)
        if record is not None:
            record.payloads.clear()
            record.revisions.clear()

    async def _take_in(self) -> None:
        truth = self._stage.truth
        ended = [raw.decode() for raw in await truth.redis.zrange(keys.EXPIRING, 0, -1)]
        new = [job_id for job_id in ended if job_id not in self.tally.states and job_id not in self._pending]
        for job in (await truth.read(new)).values():
            self._pending[job.job_id] = (job, time.monotonic())
