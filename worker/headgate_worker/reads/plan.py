"""Answering PlanBackfill: what the dates have upstream, which creates would be sent, and what it all would take.

The decisions are those of the rules that run backfills, asked before the job exists. Nothing is recorded or sent but
reads. Other backfills, the quota and the token are the server's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Final, Protocol

from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import dates, reprocess
from headgate.reasons import Reason
from headgate.store.date_claims import target
from headgate_worker.core import forecast
from headgate_worker.core.facts import create_windows
from headgate_worker.core.facts.durations import RECENT
from headgate_worker.core.model import errors
from headgate_worker.core.model.view import Policy, Sighting
from headgate_worker.core.rules import surveying
from headgate_worker.core.rules.surveying import UNSEEN
from headgate_worker.reads.ask import Ask
from headgate_worker.reads.errors import ReadFailed

SIDE_BY_SIDE: Final = 8
"""Most dates that one plan looks up at the same time."""

MOST_BYTES: Final = 1024 * 1024
"""About how long the creates of a plan may be, in bytes: a reply may take 4 MiB."""

PLAN: Final = "PlanBackfill"
"""Name of the RPC."""


class Durations(Protocol):
    """Port: how long backfills took."""

    async def durations(self, target: str) -> tuple[int, ...]:
        """How long the last dates of a target took, in ms."""
        ...


@dataclass(frozen=True, slots=True)
class _Found:
    """What a date has upstream: its latest instance, how long those took that succeeded, and what that has cost."""

    sighting: Sighting = UNSEEN
    took_ms: tuple[int, ...] = ()
    reads: int = 0


class PlanReader:
    """Makes plans of backfills.

    Args:
        known: raises what its owner raises when there is no connection of a name.
        policy: the numbers by which this worker would run them.
    """

    def __init__(self, ask: Ask, known: Callable[[str], object], durations: Durations, policy: Policy) -> None:
        self._ask = ask
        self._known = known
        self._durations = durations
        self._policy = policy

    async def plan(self, raw: bytes, left: float, creator: str) -> pb.BackfillPlan:
        """The answer to a request, given as bytes, within the seconds left, for whom its survey reads."""
        request = pb.PlanBackfillRequest.FromString(raw)
        self._known(request.connection)
        days = list(map(dates.to_message, dates.chosen(request.spec)))
        surveys = reprocess.surveys(request.spec)
        found = await self._survey(request, days, left, creator) if surveys else [_Found()] * len(days)
        took_ms = [one for seen in found for one in seen.took_ms][-RECENT:]
        took_ms = took_ms or list(await self._durations.durations(target(request.connection, request.spec)))
        run_ms = int(median(took_ms)) if took_ms else 0
        slots = [_slot(day, seen.sighting, run_ms) for day, seen in zip(days, found, strict=True)]
        reads = sum(seen.reads for seen in found)
        # A forecast takes up to seconds of computing, and ticks go on beside it.
        return await asyncio.to_thread(planned, request.spec, slots, run_ms, reads, self._policy)

    async def _survey(
        self, request: pb.PlanBackfillRequest, days: list[Date], left: float, creator: str
    ) -> list[_Found]:
        semaphore, deadline = asyncio.Semaphore(SIDE_BY_SIDE), time.monotonic() + left

        async def one(day: Date) -> _Found:
            async with semaphore:
                return await self._look_up(request, day, deadline, creator)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(day)) for day in days]
        except* ReadFailed as failed:
            first = failed.exceptions[0]
        else:
            return [task.result() for task in tasks]
        raise first

    async def _look_up(self, request: pb.PlanBackfillRequest, day: Date, deadline: float, creator: str) -> _Found:
        found = _Found()
        while (page := found.sighting.next_page) and page <= surveying.MOST_PAGES:
            call = surveying.search(request.spec, day, page)
            body = await self._ask(request.connection, call, max(0.1, deadline - time.monotonic()), creator)
            took_ms = tuple(_took_ms(one) for one in surveying.of_date(request.spec, day, body) if _is_measured(one))
            sighting = surveying.look(request.spec, day, found.sighting, body)
            found = _Found(sighting, found.took_ms + took_ms, found.reads + 1)
        if page:
            said = f"too many instances of similar names on {dates.from_message(day)}"
            raise ReadFailed(errors.status(Reason.SURVEY_TOO_LARGE, said))
        return found


def _is_measured(seen: pb.WorkflowInstance) -> bool:
    done = seen.status == pb.WORKFLOW_INSTANCE_STATUS_SUCCESS
    return done and seen.HasField("started_time") and seen.HasField("finished_time") and _took_ms(seen) > 0


def _took_ms(seen: pb.WorkflowInstance) -> int:
    return int(seen.finished_time.ToMilliseconds() - seen.started_time.ToMilliseconds())


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
