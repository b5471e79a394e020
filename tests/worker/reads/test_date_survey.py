"""Dates are looked up some at a time; the first failure ends it, and what was found stands."""

from __future__ import annotations

import asyncio
import time
from datetime import date, timedelta
from typing import Any

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import InstancePage, ListInstances
from headgate_worker.core.rules.surveying import MOST_PAGES, PAGE
from headgate_worker.reads.date_survey import SIDE_BY_SIDE, DateSurvey, SurveyAsked
from headgate_worker.reads.errors import ReadFailed, has_retry, retryable

DAYS = [date(2025, 1, 1) + timedelta(days=n) for n in range(20)]


class Upstream:
    """Has an instance on the first of the dates; refuses what comes after `most` calls."""

    def __init__(self, *, most: int = 1_000, total: int = 0) -> None:
        self._most = most
        self._total = total
        self.calls: list[ListInstances] = []
        self.open = 0
        self.most_open = 0

    async def ask(self, connection: str, call: Any, left: float, creator: str = "", /) -> Any:
        if len(self.calls) >= self._most:
            raise ReadFailed(retryable(errors.status(Reason.UPSTREAM_QPS, "not now"), 1.0))
        self.calls.append(call)
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        await asyncio.sleep(0)
        self.open -= 1
        day = dates.business_date(call.biz_date_millis)
        found = pb.WorkflowInstance(id=7, name="seed", biz_date=dates.to_message(day), status_raw="Success")
        other = pb.WorkflowInstance(id=8, name="seeds")
        return InstancePage((found,) if day == DAYS[0] else (other,) * bool(self._total), max(1, self._total))


def asked() -> SurveyAsked:
    spec = pb.BackfillSpec(project_id=1, name="seed", reprocess=pb.REPROCESS_MISSING_ONLY)
    return SurveyAsked(spec, "", time.monotonic() + 60, "me")


async def test_each_date_is_one_read_and_eight_are_open() -> None:
    upstream = Upstream()
    found = await DateSurvey(upstream.ask).look_up(asked(), DAYS)

    assert found.failed is None and sorted(found.found) == DAYS and len(upstream.calls) == len(DAYS)
    assert [found.found[day].sighting.leave for day in DAYS[:2]] == [True, False]
    assert upstream.most_open == SIDE_BY_SIDE
    assert list(found.whole(DAYS[:3], beside=DAYS[:1])) == DAYS[1:3]


async def test_the_first_failure_ends_it_and_what_was_found_stands() -> None:
    upstream = Upstream(most=12)
    found = await DateSurvey(upstream.ask).look_up(asked(), DAYS)

    assert found.failed is not None and has_retry(found.failed.status)
    assert 1 <= len(found.found) <= 12 == len(upstream.calls)
    with pytest.raises(ReadFailed):
        found.whole(DAYS)


async def test_too_many_similar_names_are_refused_for_good() -> None:
    upstream = Upstream(total=PAGE * MOST_PAGES + 1)
    found = await DateSurvey(upstream.ask).look_up(asked(), DAYS[1:2])

    assert found.failed is not None and not has_retry(found.failed.status)
    assert len(upstream.calls) == MOST_PAGES
