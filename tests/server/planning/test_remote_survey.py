"""A survey by workers: part by part, what passes is waited out, and at the pace that the quota dictates."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.plan_reads import SURVEY_DATES
from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused, Relayed
from headgate_server.errors.status import describe
from headgate_server.planning.remote_survey import MOST_WAIT, PATIENCE_SECONDS, RemoteSurvey, SurveyPace
from headgate_server.ports.call import Call
from headgate_server.ports.reads import ReadCost, Request
from tests.server.world import backfill

FIRST = date(2025, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(365)]


class VirtualClock(selectors.SelectSelector):
    """Lets a loop's time pass at once: what it would wait for is added to its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


def in_virtual_time(work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Run it; how many seconds it would have taken."""
    clock = VirtualClock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(work())
    finally:
        loop.close()
    return clock.now


class Workers:
    """Answers parts as workers do that share a quota of so many reads a second; `known` were looked up before."""

    def __init__(self, rate: float, *, known: int = 0, latency: float = 0.2) -> None:
        self._rate = rate
        self._latency = latency
        self._next = 0.0
        self.kept = set(DAYS[:known])
        self.reads = 0
        self.refusals: list[Refused | Relayed] = []
        self.asked: list[pb.PlanLargeBackfillRequest] = []

    @contextmanager
    def hold(self, call: Call, connection: str, cost: ReadCost) -> Iterator[None]:
        yield

    async def ask_for_watchers(self, method: str, request: Request, call: Call, *, extra_seconds: float = 0.0) -> bytes:
        assert method == SURVEY_DATES and isinstance(request, pb.PlanLargeBackfillRequest)
        self.asked.append(request)
        if self.refusals:
            raise self.refusals.pop(0)
        days = list(dates.walk(request.spec.biz_dates))
        reused = [day for day in days if day in self.kept]
        until = asyncio.get_running_loop().time() + 9.5 + extra_seconds
        read = [day for day in days if day not in self.kept and await self._read(until)]
        self.kept.update(read)
        answer = pb.PlanProgress(dates_done=len(reused) + len(read), dates_reused=len(reused), upstream_reads=len(read))
        return answer.SerializeToString()

    async def _read(self, until: float) -> bool:
        now = asyncio.get_running_loop().time()
        slot = max(now, self._next)
        if slot > until:
            return False
        self._next = slot + 1 / self._rate
        self.reads += 1
        await asyncio.sleep(slot - now + (0 if self.reads % 8 else self._latency))  # a worker reads 8 at a time
        return True


def surveyed(workers: Workers) -> tuple[float, SurveyPace]:
    pace = SurveyPace(total=len(DAYS))

    async def run() -> None:
        question = pb.PlanLargeBackfillRequest(spec=backfill().spec)
        await RemoteSurvey(workers, question, Call(), pace).run(DAYS)

    return in_virtual_time(run), pace


@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0])
def test_a_year_takes_what_the_quota_dictates(rate: float) -> None:
    workers = Workers(rate)
    seconds, pace = surveyed(workers)

    assert seconds <= 1.2 * len(DAYS) / rate
    assert workers.reads == len(DAYS) == pace.done == pace.reads and not pace.reused


def test_what_is_on_record_costs_nothing_and_is_counted() -> None:
    workers = Workers(5.0, known=200)
    seconds, pace = surveyed(workers)

    assert workers.reads == 165 and pace.reused == 200 and pace.done == 365
    assert seconds <= 1.2 * 165 / 5.0


def test_a_part_that_is_not_done_in_time_is_asked_for_again_and_its_dates_are_fresh_still() -> None:
    workers = Workers(0.25)
    seconds, pace = surveyed(workers)

    assert pace.done == 365 and pace.reused == 0 and workers.reads == 365
    ages = [asked.max_staleness.ToMilliseconds() / 1000 for asked in workers.asked]
    assert ages[0] == 0 and seconds - 60 < ages[-1] < seconds


def refusal(reason: Reason, seconds: float | None = None) -> Refused:
    return Refused(reason, "not now", retry_seconds=seconds)


def test_what_passes_is_waited_out_as_it_says() -> None:
    workers = Workers(1_000.0, latency=0)
    workers.refusals = [refusal(Reason.WORKER_UNAVAILABLE, 2), Relayed(_bytes(Reason.UPSTREAM_QPS, 30))]
    seconds, pace = surveyed(workers)

    assert pace.done == 365 and 30 <= seconds < 33 and not pace.waiting_for


def _bytes(reason: Reason, seconds: float | None) -> bytes:
    raw: bytes = describe(refusal(reason, seconds)).SerializeToString()
    return raw


@pytest.mark.parametrize(
    "error",
    [
        Relayed(_bytes(Reason.UPSTREAM_DENIED, None)),
        Relayed(_bytes(Reason.UPSTREAM_DAILY, MOST_WAIT + 1)),
        refusal(Reason.DEADLINE_TOO_SHORT),
    ],
    ids=["denied", "tomorrow", "too late"],
)
def test_what_does_not_pass_ends_it_at_once(error: Refused | Relayed) -> None:
    workers = Workers(5.0)
    workers.refusals = [error]

    with pytest.raises(type(error)):
        surveyed(workers)
    assert len(workers.asked) <= 2


def test_a_worker_that_stays_away_ends_it_after_a_while() -> None:
    workers = Workers(5.0)
    workers.refusals = [refusal(Reason.WORKER_UNAVAILABLE, 2) for _ in range(1_000)]

    with pytest.raises(Refused):
        surveyed(workers)
    assert PATIENCE_SECONDS / 2 <= len(workers.asked) <= PATIENCE_SECONDS + 4


def test_workers_that_answer_and_look_nothing_up_end_it_too() -> None:
    class Idle(Workers):
        async def _read(self, until: float) -> bool:
            return False

    workers = Idle(5.0)
    with pytest.raises(Refused):
        surveyed(workers)
    assert 100 < len(workers.asked) < 500
