"""The standing load: long backfills whose first date runs for ever upstream, so that all others wait for a parent."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from bench.chaos.stage import Stage
from bench.chaos.submits import backfill
from bench.chaos.truth import Stored
from bench.chaos.waiting import until

from headgate import pb
from headgate_client import Client, date_range
from headgate_emulator.faults import RunFor

NAME: Final = "standing-"
"""Beginning of the name of each."""

DATES: Final = 500
"""Dates of one backfill."""

FIRST: Final = date(2022, 1, 1)

FOR_EVER: Final = RunFor(name=f"{NAME}*", seconds=1_000_000)
"""What keeps the first date running."""


def backfills(waiting: int) -> int:
    """How many backfills have so many waiting instances, rounded up."""
    return -(-waiting // (DATES - 1))


def waiting_instances(jobs: list[Stored]) -> int:
    """How many runs of jobs wait for their parent."""
    return sum(run.state == pb.RUN_STATE_BLOCKED for job in jobs for run in job.job.runs)


class Standing:
    """So many instances that wait until they are let go."""

    def __init__(self, stage: Stage, waiting: int) -> None:
        self.ids = [f"{NAME}{number}" for number in range(backfills(waiting))]
        self.wanted = len(self.ids) * (DATES - 1)
        self._stage = stage

    async def begin(self, client: Client) -> float:
        """Submit, and wait until all of them wait; in so many seconds."""
        self._stage.emulator.faults.add([FOR_EVER])
        for word in self.ids:
            request = backfill(word, 1)
            del request.spec.biz_dates[:]
            request.spec.max_created_ahead = DATES
            last = FIRST + timedelta(days=DATES - 1)
            request.spec.biz_dates.append(date_range(FIRST.isoformat(), last.isoformat()))
            await client.jobs.submit(request)
        return await until(self._all_wait, 180.0, pause=1.0)

    async def _all_wait(self) -> bool:
        return await self.waiting() == self.wanted

    async def waiting(self) -> int:
        """How many wait now, by the store."""
        return waiting_instances(list((await self._stage.truth.read(self.ids)).values()))
