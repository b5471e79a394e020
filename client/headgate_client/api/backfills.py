"""Backfills: a set of business dates, each run exactly once."""

from typing import Unpack

import grpc

from headgate import pb
from headgate.backfill.reprocess import surveys
from headgate.v1.backfill_service_pb2_grpc import BackfillServiceStub
from headgate_client.api.handle import JobHandle
from headgate_client.api.jobs import Jobs
from headgate_client.api.submitting import LOOK_UP_SECONDS, SubmitOptions
from headgate_client.rpc.unary_caller import UnaryCaller


class Backfills:
    """Backfills. Every method may raise HeadgateError; SubmitOptions says what `options` can be."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller, jobs: Jobs) -> None:
        self._stub = BackfillServiceStub(channel)
        self._caller = caller
        self._jobs = jobs

    async def plan(self, spec: pb.BackfillSpec, *, connection: str = "") -> pb.BackfillPlan:
        """Plan a backfill: what `create` would do, date by date, and its cost; records and sends nothing.

        Where `reprocess` is not ALL every date is looked up upstream, and the call may take a minute longer.
        """
        request = pb.PlanBackfillRequest(spec=spec, connection=connection)
        wait = LOOK_UP_SECONDS if surveys(spec) else 0.0
        return await self._caller.call("PlanBackfill", self._stub.PlanBackfill, request, safe=True, wait=wait)

    async def create(
        self, spec: pb.BackfillSpec, *, plan_token: str = "", **options: Unpack[SubmitOptions]
    ) -> JobHandle:
        """Create the instances of all dates, start them, wait for parents, follow each to its end.

        `plan_token` of a plan asks for exactly that plan; the call fails with PLAN_CHANGED if it would differ by now.
        """
        request = pb.CreateBackfillRequest(spec=spec, plan_token=plan_token)
        return await self._jobs.submit(request, **options)
