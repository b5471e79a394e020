# ruff: noqa: N802 - gRPC names its methods
"""A large plan is read from its stream: progress is told, a lost one is opened again, an old server asked at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate.v1 import backfill_service_pb2_grpc
from headgate_client import Client, HeadgateError
from tests.client.scripted import OPTIONS, fail

Context = grpc.aio.ServicerContext[Any, Any]

PLAN = pb.BackfillPlan(plan_token="TOKEN")
UNARY = pb.BackfillPlan(plan_token="UNARY")


class Plans(backfill_service_pb2_grpc.BackfillServiceServicer):
    """Streams a plan; the first `failures` times it breaks off before it."""

    def __init__(self, *failures: tuple[grpc.StatusCode, str]) -> None:
        self.failures = list(failures)
        self.asked: list[pb.PlanLargeBackfillRequest] = []

    async def PlanLargeBackfill(
        self, request: pb.PlanLargeBackfillRequest, context: Context
    ) -> AsyncIterator[pb.PlanLargeBackfillResponse]:
        self.asked.append(request)
        yield pb.PlanLargeBackfillResponse(progress=pb.PlanProgress(dates_total=2, dates_done=len(self.asked)))
        if self.failures:
            await fail(context, *self.failures.pop(0))
        yield pb.PlanLargeBackfillResponse(plan=PLAN)


class OldPlans(backfill_service_pb2_grpc.BackfillServiceServicer):
    """A server of a version before."""

    async def PlanBackfill(self, request: pb.PlanBackfillRequest, context: Context) -> pb.BackfillPlan:
        return UNARY


@asynccontextmanager
async def serving(plans: Any) -> AsyncIterator[Client]:
    server = grpc.aio.server()
    backfill_service_pb2_grpc.add_BackfillServiceServicer_to_server(plans, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Client(f"127.0.0.1:{port}", options=OPTIONS) as client:
            yield client
    finally:
        await server.stop(None)


async def test_the_progress_is_told_before_the_plan() -> None:
    told: list[int] = []
    plans = Plans()  # type: ignore[abstract]  # the rest answers UNIMPLEMENTED
    async with serving(plans) as client:
        plan = await client.backfills.plan_large(
            pb.BackfillSpec(name="orders"), max_staleness=0, on_progress=lambda now: told.append(now.dates_done)
        )

    assert plan == PLAN and told == [1]
    assert plans.asked[0].HasField("max_staleness") and not plans.asked[0].max_staleness.seconds


async def test_a_lost_stream_is_opened_again() -> None:
    lost = grpc.StatusCode.UNAVAILABLE
    plans = Plans((lost, "STORE_UNAVAILABLE"), (lost, ""))  # type: ignore[abstract]
    async with serving(plans) as client:
        assert await client.backfills.plan_large(pb.BackfillSpec()) == PLAN

    assert len(plans.asked) == 3 and not plans.asked[0].HasField("max_staleness")


async def test_what_asking_again_does_not_mend_raises() -> None:
    plans = Plans((grpc.StatusCode.RESOURCE_EXHAUSTED, "UPSTREAM_DAILY"))  # type: ignore[abstract]
    async with serving(plans) as client:
        with pytest.raises(HeadgateError) as raised:
            await client.backfills.plan_large(pb.BackfillSpec())

    assert raised.value.reason == "UPSTREAM_DAILY" and len(plans.asked) == 1


async def test_an_older_server_is_asked_for_the_plan_at_once() -> None:
    async with serving(OldPlans()) as client:  # type: ignore[abstract]
        assert await client.backfills.plan_large(pb.BackfillSpec()) == UNARY
