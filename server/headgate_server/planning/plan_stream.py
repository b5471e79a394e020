"""PlanLargeBackfill: dates are looked up, the caller is told how far that is and when it ends, then comes the plan."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.plan_reads import PLAN_SURVEYED
from headgate.backfill.reprocess import surveys
from headgate.quota.limits import READ
from headgate.reasons import Reason
from headgate_server.errors import status
from headgate_server.errors.exceptions import Relayed
from headgate_server.jobs.plan import BackfillPlanner
from headgate_server.jobs.quota_status import quota_status
from headgate_server.planning.remote_survey import RemoteSurvey, SurveyPace, SurveyReads
from headgate_server.ports.call import Call, ReplySink
from headgate_server.ports.clock import StoreTime, timestamp
from headgate_server.ports.facts import ConnectionFacts
from headgate_server.ports.reads import ReadCost
from headgate_server.progress.progress_stream import with_progress

STALENESS_MS: Final = 5 * 60 * 1000
"""How long ago a date may have been looked up where the caller does not say."""

SLACK_MS: Final = 15_000
"""How much older the survey's own finds may be for the plan: the clocks of worker and server tick apart."""

LEAST_SEEN: Final = 10
"""Dates that have to be looked up before the end is expected by the survey's own pace."""


class PlanStreams:
    """Makes plans of any size."""

    def __init__(self, planner: BackfillPlanner, reads: SurveyReads, facts: ConnectionFacts, clock: StoreTime) -> None:
        self._planner = planner
        self._reads = reads
        self._facts = facts
        self._clock = clock

    async def send(self, request: pb.PlanLargeBackfillRequest, call: Call, sink: ReplySink) -> None:
        """Send the progress and the plan of a checked request.

        Raises:
            Refused: a share is used up, or no worker answered in time.
            Relayed: upstream can't be asked, or refuses.
            StoreUnavailable: Redis can't be asked.
        """
        asked = pb.PlanBackfillRequest(spec=request.spec, connection=request.connection)
        try:
            plan = await self._surveyed(request, asked, call, sink) if surveys(request.spec) else None
        except Relayed as error:
            if status.reason_of(status.parse_relayed(error)) != Reason.METHOD_UNBUILT.name:
                raise
            plan = None  # a worker of an earlier version, which looks up all dates in one go
        plan = plan or await self._planner.plan(asked, call)
        await sink.write(pb.PlanLargeBackfillResponse(plan=plan).SerializeToString())

    async def _surveyed(
        self, request: pb.PlanLargeBackfillRequest, asked: pb.PlanBackfillRequest, call: Call, sink: ReplySink
    ) -> pb.BackfillPlan:
        """The plan of dates that are looked up first."""
        plain = self._planner.plain(asked)
        days = list(dates.walk(plain.spec.biz_dates))
        question = pb.PlanLargeBackfillRequest(spec=plain.spec, connection=plain.connection)
        question.max_staleness.FromMilliseconds(STALENESS_MS)
        if request.HasField("max_staleness"):
            question.max_staleness.CopyFrom(request.max_staleness)
        rate = _read_rate(quota_status(request.connection, await self._facts.facts(request.connection)))
        pace = SurveyPace(total=len(days))
        with self._reads.hold(call, plain.connection, ReadCost(reads=len(days), plan_dates=len(days))):
            survey, began = RemoteSurvey(self._reads, question, call, pace), asyncio.get_running_loop().time()
            raw = await with_progress(
                _raw_plan(survey, days),
                lambda: (pace.done, pace.reads, pace.waiting_for),
                lambda: self._send_progress(pace, rate, began, sink),
            )
        return await self._planner.complete(asked, plain, raw)

    async def _send_progress(self, pace: SurveyPace, rate: float, began: float, sink: ReplySink) -> None:
        left = left_seconds(pace, rate, asyncio.get_running_loop().time() - began)
        end = None if left is None else timestamp(self._clock.now_ms() + int(1000 * left))
        await sink.write(pb.PlanLargeBackfillResponse(progress=_progress(pace, end)).SerializeToString())


async def _raw_plan(survey: RemoteSurvey, days: list[date]) -> bytes:
    await survey.run(days)
    return await survey.asked(PLAN_SURVEYED, lambda: survey.question(slack_ms=SLACK_MS))


def _progress(pace: SurveyPace, end: Timestamp | None) -> pb.PlanProgress:
    return pb.PlanProgress(
        dates_total=pace.total,
        dates_done=pace.done,
        dates_reused=pace.reused,
        upstream_reads=pace.reads,
        expected_end_time=end,
        waiting_for=pace.waiting_for,
    )


def left_seconds(pace: SurveyPace, rate: float, seconds: float) -> float | None:
    """How long a survey still takes: by its own pace once that is known, by the quota before. Pure.

    Args:
        pace: how far it is.
        rate: reads a second that the quota lets out; 0 where that is not known, or not limited.
        seconds: how long it has taken so far.
    """
    left, seen = pace.total - pace.done, pace.done - pace.reused
    if left == 0:
        return 0.0
    if seen >= LEAST_SEEN and seconds > 0:
        return left * seconds / seen
    return left / rate if rate else None


def _read_rate(quota: pb.Quota | None) -> float:
    """Reads a second that are let out at present; 0 where that is not limited, or not known."""
    buckets = quota.buckets if quota is not None else ()
    rates = [bucket.current_per_second for bucket in buckets if bucket.metric in (READ, "total")]
    return min((rate for rate in rates if rate), default=0.0)
