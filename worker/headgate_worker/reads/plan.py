"""Answering plans: what the dates have upstream, which creates would be sent, and what it all would take.

The decisions are those of the rules that run backfills, asked before the job exists. Nothing is recorded or sent but
reads. Other backfills, the quota and the token are the server's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import date
from statistics import median
from typing import Final, Protocol

from google.protobuf.message import Message
from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import dates, reprocess
from headgate.backfill.plan_reads import PLAN, PLAN_SURVEYED, SURVEY_DATES
from headgate.reasons import Reason
from headgate.store.date_claims import target
from headgate_worker.core import forecast
from headgate_worker.core.facts import create_windows
from headgate_worker.core.facts.durations import RECENT
from headgate_worker.core.model import errors
from headgate_worker.core.model.kept_survey import KeptDate, survey_digest
from headgate_worker.core.model.view import Policy, Sighting
from headgate_worker.ports.store import SurveyStore
from headgate_worker.reads.ask import Ask
from headgate_worker.reads.date_survey import DateFound, DateSurvey, SurveyAsked, SurveyResult
from headgate_worker.reads.errors import has_retry

MOST_BYTES: Final = 1024 * 1024
"""About how long the creates of a plan may be, in bytes: a reply may take 4 MiB."""

ANSWER_SECONDS: Final = 0.5
"""What a part of a survey leaves of its time for its answer."""


class PlanStore(Protocol):
    """Port: how long backfills took, and what plans have found of dates."""

    @property
    def kept_surveys(self) -> SurveyStore:
        """What plans have found."""
        ...

    async def now_ms(self) -> int:
        """The store's clock."""
        ...

    async def durations(self, target: str) -> tuple[int, ...]:
        """How long the last dates of a target took, in ms."""
        ...


class PlanReader:
    """Makes plans of backfills.

    Args:
        known: raises what its owner raises when there is no connection of a name.
        store: knows how long backfills took, and what earlier plans have found.
        policy: the numbers by which this worker would run them.
    """

    def __init__(self, ask: Ask, known: Callable[[str], object], store: PlanStore, policy: Policy) -> None:
        self._dates = DateSurvey(ask)
        self._known = known
        self._store = store
        self._policy = policy

    def methods(self) -> Mapping[str, Callable[[bytes, float, str], Awaitable[Message]]]:
        """What answers each method: the request as bytes, the seconds left, and for whom its survey reads."""
        return {PLAN: self.plan, SURVEY_DATES: self.survey, PLAN_SURVEYED: self.plan_surveyed}

    async def plan(self, raw: bytes, left: float, creator: str) -> pb.BackfillPlan:
        """PlanBackfill: each date is looked up now."""
        request = pb.PlanBackfillRequest.FromString(raw)
        self._known(request.connection)
        days = _days(request.spec)
        found = dict.fromkeys(days, DateFound())
        if reprocess.surveys(request.spec):
            survey = await self._dates.look_up(_wanted(request, left, creator), days)
            found = survey.whole(days)
        return await self._planned(request.spec, request.connection, found)

    async def survey(self, raw: bytes, left: float, creator: str) -> pb.PlanProgress:
        """A part of PlanLargeBackfill: look up the dates of the request, but for those that are fresh on record.

        What is found goes on record, so that asking again goes on where this ends. Where some dates could not be looked
        up in time, the answer has fewer dates_done than dates_total.

        Raises:
            ReadFailed: no further date could be looked up, or one never can be.
        """
        request = pb.PlanLargeBackfillRequest.FromString(raw)
        self._known(request.connection)
        days = _days(request.spec)
        fresh, survey = await self._fresh_or_read(request, days, left - ANSWER_SECONDS, creator)
        if survey.failed is not None and not (survey.found and has_retry(survey.failed.status)):
            raise survey.failed
        return pb.PlanProgress(
            dates_total=len(days),
            dates_done=len(fresh) + len(survey.found),
            dates_reused=len(fresh),
            upstream_reads=sum(seen.reads for seen in survey.found.values()),
        )

    async def plan_surveyed(self, raw: bytes, left: float, creator: str) -> pb.BackfillPlan:
        """The end of PlanLargeBackfill: the plan of dates that are on record, but for some at most."""
        request = pb.PlanLargeBackfillRequest.FromString(raw)
        self._known(request.connection)
        days = _days(request.spec)
        fresh, survey = await self._fresh_or_read(request, days, left - ANSWER_SECONDS, creator)
        return await self._planned(request.spec, request.connection, {**fresh, **survey.whole(days, beside=fresh)})

    async def _fresh_or_read(
        self, request: pb.PlanLargeBackfillRequest, days: Sequence[date], left: float, creator: str
    ) -> tuple[Mapping[date, DateFound], SurveyResult]:
        """What is fresh on record of dates, and what a look-up of the others has brought, which goes on record."""
        began_ms = await self._store.now_ms()
        digest, kept_surveys = survey_digest(request.spec, request.connection), self._store.kept_surveys
        kept = await kept_surveys.of(digest, [_word(day) for day in days])
        oldest_ms = began_ms - request.max_staleness.ToMilliseconds()
        fresh = {
            day: DateFound(one.sighting, one.took_ms, one.reads)
            for day in days
            if (one := kept.get(_word(day))) is not None and one.at_ms >= oldest_ms
        }
        survey = await self._dates.look_up(_wanted(request, left, creator), [day for day in days if day not in fresh])
        new = {
            _word(day): KeptDate(began_ms, seen.sighting, seen.took_ms, seen.reads)
            for day, seen in survey.found.items()
        }
        await kept_surveys.keep(digest, new)
        return fresh, survey

    async def _planned(
        self, spec: pb.BackfillSpec, connection: str, found: Mapping[date, DateFound]
    ) -> pb.BackfillPlan:
        days = sorted(found)
        took_ms = [one for day in days for one in found[day].took_ms][-RECENT:]
        took_ms = took_ms or list(await self._store.durations(target(connection, spec)))
        run_ms = int(median(took_ms)) if took_ms else 0
        slots = [_slot(dates.to_message(day), found[day].sighting, run_ms) for day in days]
        reads = sum(seen.reads for seen in found.values())
        # A forecast takes up to seconds of computing, and ticks go on beside it.
        return await asyncio.to_thread(planned, spec, slots, run_ms, reads, self._policy)


def _wanted(request: pb.PlanBackfillRequest | pb.PlanLargeBackfillRequest, left: float, creator: str) -> SurveyAsked:
    return SurveyAsked(request.spec, request.connection, time.monotonic() + left, creator)


def _days(spec: pb.BackfillSpec) -> list[date]:
    return list(dates.chosen(spec))


def _word(day: date) -> str:
    return day.strftime("%Y%m%d")


def _slot(day: Date, found: Sighting, run_ms: int) -> pb.PlanSlot:
    action = pb.PLAN_ACTION_SKIP_EXISTS if found.leave else pb.PLAN_ACTION_CREATE
    slot = pb.PlanSlot(biz_date=day, action=action, existing_id=found.instance_id, existing_status=found.status)
    if run_ms and not found.leave:
        slot.expected_duration.FromMilliseconds(run_ms)
    return slot


def _calls(spec: pb.BackfillSpec, days: list[date]) -> Iterator[pb.CreateWorkflowInstancesSpec]:
    """The creates; where they would be too long, the later ones without what they repeat."""
    calls = create_windows.all_ranges(spec, days)
    whole = len(calls) * spec.ByteSize() <= MOST_BYTES
    for index, ranges in enumerate(calls):
        if whole or index == 0:
            yield create_windows.create_spec(spec, spec.name, ranges)
        else:
            yield create_windows.create_spec(pb.BackfillSpec(project_id=spec.project_id), spec.name, ranges)


def planned(
    spec: pb.BackfillSpec, slots: list[pb.PlanSlot], run_ms: int, survey_reads: int, policy: Policy
) -> pb.BackfillPlan:
    """The plan of these slots. Pure.

    Args:
        spec: the backfill.
        slots: one per date, oldest first.
        run_ms: how long a date runs; 0 when that is not known.
        survey_reads: what it takes to look the dates up.
        policy: the numbers of the workers.
    """
    days = [dates.from_message(slot.biz_date) for slot in slots if slot.action == pb.PLAN_ACTION_CREATE]
    made = pb.BackfillPlan(slots=slots, upstream_calls=_calls(spec, days))
    expected = forecast.forecast(spec, days, run_ms or forecast.UNKNOWN_RUN_MS, policy)
    if expected is None:
        made.warnings.append(errors.status(Reason.FORECAST_UNCERTAIN, "the number of calls can't be told"))
        return made
    made.expected_upstream_reads = expected.reads + survey_reads
    made.expected_upstream_writes = expected.writes
    if run_ms:
        made.expected_makespan.FromMilliseconds(expected.makespan_ms)
    elif days:
        said = "how long a date takes is not known; 10 minutes are assumed"
        made.warnings.append(errors.status(Reason.FORECAST_UNCERTAIN, said))
    return made
