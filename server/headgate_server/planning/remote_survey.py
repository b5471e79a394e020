"""Has workers look up the dates of a backfill, some at a time, until all are on record.

The reads go through the read lane, inside the quota. What passes is waited out: a quota that is used up, a worker that
is away. What does not pass ends the survey. The one who asks ends it all by cancelling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.plan_reads import SURVEY_DATES
from headgate.reasons import Reason
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused, ServerError
from headgate_server.ports.call import Call
from headgate_server.ports.reads import ReadCost, Request

PART_DATES: Final = 8
"""Dates that are asked for together: a worker looks up as many at the same time."""

SIDE_BY_SIDE: Final = 2
"""Parts that are open: while one comes to its end, the other keeps the quota in use."""

PART_SECONDS: Final = 4.0
"""How much longer than another read a part may take. What is not done by then is asked for again."""

LEAST_WAIT: Final = 0.5
MOST_WAIT: Final = 120.0
"""Seconds before a part is asked for again; what has to wait longer, as for tomorrow's allowance, ends the survey."""

PATIENCE_SECONDS: Final = 90.0
"""For how long no date may be looked up before the survey is given up."""

_TOO_LATE: Final = frozenset({"DEADLINE_TOO_SHORT"})
"""Reasons of failures that pass for others, and not for a caller whose time is over."""


class SurveyReads(Protocol):
    """Port: asks workers, for a stream that holds its share of dates itself."""

    def hold(self, call: Call, connection: str, cost: ReadCost) -> AbstractContextManager[None]:
        """Hold the shares that a call takes. Raises Refused."""

    async def ask_for_watchers(self, method: str, request: Request, call: Call, *, extra_seconds: float = 0.0) -> bytes:
        """A worker's answer."""


@dataclass(slots=True)
class SurveyPace:
    """How far a survey is; read by what tells the caller.

    Args:
        total: dates that are to be looked up.
        done: dates that are.
        reused: of those, the ones that an earlier plan has looked up.
        reads: reads of upstream.
        waiting_for: why nothing moves just now; empty while it moves.
        answered_at: when a worker last brought dates, by the loop's clock.
    """

    total: int
    done: int = 0
    reused: int = 0
    reads: int = 0
    waiting_for: str = ""
    answered_at: float = field(default=0.0)


class RemoteSurvey:
    """One survey.

    Args:
        reads: asks workers.
        request: what the caller has asked for, with its connection's own name.
        call: the caller.
        pace: is kept up to date.
    """

    def __init__(self, reads: SurveyReads, request: pb.PlanLargeBackfillRequest, call: Call, pace: SurveyPace) -> None:
        self._reads = reads
        self._request = request
        self._call = call
        self._pace = pace
        self._began = pace.answered_at = asyncio.get_running_loop().time()
        self._staleness_ms = request.max_staleness.ToMilliseconds()

    async def run(self, days: Sequence[date]) -> None:
        """Have all these dates looked up.

        Raises:
            ServerError: a part can't be, or not in time.
        """
        rest = iter([days[at : at + PART_DATES] for at in range(0, len(days), PART_DATES)])
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(SIDE_BY_SIDE):
                    group.create_task(self._parts(rest))
        except* ServerError as failed:
            first = failed.exceptions[0]
        else:
            return
        raise first

    async def _parts(self, rest: Iterator[Sequence[date]]) -> None:
        for days in rest:
            await self._part(days)

    async def _part(self, days: Sequence[date]) -> None:
        """Ask for some dates until all of them are on record."""
        counted = 0
        while counted < len(days):
            raw = await self.asked(SURVEY_DATES, lambda: self.question(days))
            answer = pb.PlanProgress.FromString(raw)
            if not counted:
                self._pace.reused += answer.dates_reused
            self._pace.reads += answer.upstream_reads
            self._pace.done += max(0, answer.dates_done - counted)
            if answer.dates_done > counted:
                counted, self._pace.answered_at = answer.dates_done, asyncio.get_running_loop().time()
            elif self._silent_seconds() > PATIENCE_SECONDS:
                raise Refused(Reason.WORKER_UNAVAILABLE, "workers look up no more dates", retry_seconds=2)
            if counted < len(days):
                await asyncio.sleep(LEAST_WAIT)

    def question(self, days: Sequence[date] = (), *, slack_ms: int = 0) -> pb.PlanLargeBackfillRequest:
        """The request, for all of its dates or some; what the survey has found itself stays fresh."""
        asked = pb.PlanLargeBackfillRequest()
        asked.CopyFrom(self._request)
        if days:
            del asked.spec.biz_dates[:]
        asked.spec.biz_dates.extend(
            pb.DateRange(start_biz_date=dates.to_message(day), end_biz_date=dates.to_message(day)) for day in days
        )
        age_ms = int(1000 * (asyncio.get_running_loop().time() - self._began))
        asked.max_staleness.FromMilliseconds(self._staleness_ms + age_ms + slack_ms)
        return asked

    async def asked(self, method: str, question: Callable[[], pb.PlanLargeBackfillRequest]) -> bytes:
        """A worker's answer, as soon as there is one; what passes is waited out.

        Raises:
            ServerError: it would not come, or not in time.
        """
        while True:
            try:
                raw = await self._reads.ask_for_watchers(method, question(), self._call, extra_seconds=PART_SECONDS)
            except ServerError as error:
                await self._wait(error)
                continue
            self._pace.waiting_for = ""
            return raw

    async def _wait(self, error: ServerError) -> None:
        """Wait until a part may succeed that has failed, or raise its error where it would not."""
        found = status.translate(error)
        if found is None or not status.is_passing(found) or status.reason_of(found) in _TOO_LATE:
            raise error
        seconds = max(LEAST_WAIT, status.retry_ms(found) / 1000)
        if seconds > MOST_WAIT or self._silent_seconds() > PATIENCE_SECONDS:
            raise error
        self._pace.waiting_for = f"{status.reason_of(found) or 'a failure'}: {found.message}"
        await asyncio.sleep(seconds)

    def _silent_seconds(self) -> float:
        """For how long no date has been looked up."""
        return asyncio.get_running_loop().time() - self._pace.answered_at
