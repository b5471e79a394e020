"""Backfills: a set of business dates, each run exactly once."""

from datetime import timedelta
from typing import Unpack

import grpc

from headgate import pb
from headgate.backfill.reprocess import surveys
from headgate.v1.backfill_service_pb2_grpc import BackfillServiceStub
from headgate_client.api.handle import JobHandle
from headgate_client.api.jobs import Jobs
from headgate_client.api.submitting import LOOK_UP_SECONDS, SubmitOptions
from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.values.conversions import duration
from headgate_client.watch.plan_streams import OnPlanProgress, PlanStreamReader


class Backfills:
    """Backfills. Every method may raise HeadgateError; SubmitOptions says what `options` can be."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller, jobs: Jobs) -> None:
        self._stub = BackfillServiceStub(channel)
        self._caller = caller
        self._jobs = jobs
        self._streams = PlanStreamReader(self._stub, caller)

    async def plan(self, spec: pb.BackfillSpec, *, connection: str = "") -> pb.BackfillPlan:
        """Plan a backfill: what `create` would do, date by date, and its cost; records and sends nothing.

        Where `reprocess` is not ALL every date is looked up upstream, and the call may take a minute longer.
        """
        request = pb.PlanBackfillRequest(spec=spec, connection=connection)
        wait = LOOK_UP_SECONDS if surveys(spec) else 0.0
        return await self._caller.call("PlanBackfill", self._stub.PlanBackfill, request, safe=True, wait=wait)

    async def plan_large(
        self,
        spec: pb.BackfillSpec,
        *,
        connection: str = "",
        max_staleness: timedelta | float | None = None,
        watch: WatchOptions | None = None,
        on_progress: OnPlanProgress | None = None,
    ) -> pb.BackfillPlan:
        """As `plan`, for a backfill of any size: it lasts as long as the look-up of the dates does.

        `on_progress` is told how far that is, and when it is expected to end. `max_staleness`, up to an hour, says how
        long ago an earlier plan of the same name may have looked up a date; None means 5 minutes. A server of an
        earlier version is asked for the plan at once.
        """
        request = pb.PlanLargeBackfillRequest(spec=spec, connection=connection, max_staleness=duration(max_staleness))
        try:
            return await self._streams.read(request, watch or self._caller.options.watch, on_progress)
        except HeadgateError as error:
            if not error.is_unbuilt:
                raise
            return await self.plan(spec, connection=connection)

    async def create(
        self, spec: pb.BackfillSpec, *, plan_token: str = "", **options: Unpack[SubmitOptions]
    ) -> JobHandle:
        """Create the instances of all dates, start them, wait for parents, follow each to its end.

        `plan_token` of a plan asks for exactly that plan; the call fails with PLAN_CHANGED if it would differ by now.
        """
        request = pb.CreateBackfillRequest(spec=spec, plan_token=plan_token)
        return await self._jobs.submit(request, **options)
