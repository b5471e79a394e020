"""BackfillService: plans come from workers, and a create becomes a job."""

from __future__ import annotations

from headgate import pb
from headgate_server.jobs.plan import BackfillPlanner
from headgate_server.jobs.submit import Submitter
from headgate_server.planning.plan_stream import PlanStreams
from headgate_server.ports.call import Call, ReplySink
from headgate_server.requests import validator


class BackfillService:
    """Backfills are jobs like others."""

    def __init__(self, submitter: Submitter, planner: BackfillPlanner, plan_streams: PlanStreams) -> None:
        self._submitter = submitter
        self._planner = planner
        self._plan_streams = plan_streams

    async def plan_backfill(self, request: pb.PlanBackfillRequest, call: Call) -> pb.BackfillPlan:
        """PlanBackfill."""
        validator.check(request)
        return await self._planner.plan(request, call)

    async def plan_large_backfill(self, request: pb.PlanLargeBackfillRequest, call: Call, sink: ReplySink) -> None:
        """PlanLargeBackfill."""
        validator.check(request)
        await self._plan_streams.send(request, call, sink)

    async def create_backfill(self, request: pb.CreateBackfillRequest, call: Call) -> bytes:
        """CreateBackfill."""
        validator.check(request)
        return (await self._submitter.submit(request, call)).body
