"""Looking dates up for a plan, some at a time, under the quota, as the survey of a backfill does. Nothing is recorded.

The first failure ends it: what was found until then stands.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate_worker.core.model import errors
from headgate_worker.core.model.view import Sighting
from headgate_worker.core.rules import surveying
from headgate_worker.core.rules.surveying import UNSEEN
from headgate_worker.reads.ask import Ask
from headgate_worker.reads.errors import ReadFailed

SIDE_BY_SIDE: Final = 8
"""Most dates that one plan looks up at the same time."""


@dataclass(frozen=True, slots=True)
class DateFound:
    """What a date has upstream: its latest instance, how long those took that succeeded, and what that has cost."""

    sighting: Sighting = UNSEEN
    took_ms: tuple[int, ...] = ()
    reads: int = 0


@dataclass(frozen=True, slots=True)
class SurveyAsked:
    """What is to be looked up.

    Args:
        spec: the backfill.
        connection: where.
        deadline: when the time for it is over, by the monotonic clock.
        creator: for whom it reads.
    """

    spec: pb.BackfillSpec
    connection: str
    deadline: float
    creator: str


@dataclass(frozen=True, slots=True)
class SurveyResult:
    """What was found.

    Args:
        found: by date; those that could not be looked up are left out.
        failed: why there are such; None where there are none.
    """

    found: Mapping[date, DateFound]
    failed: ReadFailed | None

    def whole(self, days: Sequence[date], *, beside: Collection[date] = ()) -> dict[date, DateFound]:
        """What was found of all these dates, but for those that are known besides. Raises ReadFailed."""
        if self.failed is not None:
            raise self.failed
        return {day: self.found[day] for day in days if day not in beside}


class DateSurvey:
    """Looks dates up."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def look_up(self, asked: SurveyAsked, days: Sequence[date]) -> SurveyResult:
        """What the dates have upstream."""
        found: dict[date, DateFound] = {}
        rest, failed = iter(days), None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(SIDE_BY_SIDE, len(days))):
                    group.create_task(self._some(asked, rest, found))
        except* ReadFailed as group_failed:
            failed = next((one for one in group_failed.exceptions if isinstance(one, ReadFailed)), None)
        return SurveyResult(found, failed)

    async def _some(self, asked: SurveyAsked, rest: Iterator[date], found: dict[date, DateFound]) -> None:
        for day in rest:
            found[day] = await self._one(asked, day)

    async def _one(self, asked: SurveyAsked, day: date) -> DateFound:
        found, spec, biz_date = DateFound(), asked.spec, dates.to_message(day)
        while (page := found.sighting.next_page) and page <= surveying.MOST_PAGES:
            call = surveying.search(spec, biz_date, page)
            left = max(0.1, asked.deadline - time.monotonic())
            body = await self._ask(asked.connection, call, left, asked.creator)
            took_ms = tuple(_took_ms(one) for one in surveying.of_date(spec, biz_date, body) if _is_measured(one))
            sighting = surveying.look(spec, biz_date, found.sighting, body)
            found = DateFound(sighting, found.took_ms + took_ms, found.reads + 1)
        if page:
            said = f"too many instances of similar names on {day}"
            raise ReadFailed(errors.status(Reason.SURVEY_TOO_LARGE, said))
        return found


def _is_measured(seen: pb.WorkflowInstance) -> bool:
    done = seen.status == pb.WORKFLOW_INSTANCE_STATUS_SUCCESS
    return done and seen.HasField("started_time") and seen.HasField("finished_time") and _took_ms(seen) > 0


def _took_ms(seen: pb.WorkflowInstance) -> int:
    return int(seen.finished_time.ToMilliseconds() - seen.started_time.ToMilliseconds())
