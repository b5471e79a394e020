# ruff: noqa: N802 - gRPC names its methods
"""A report is read from its stream: parts are merged, a lost stream begins anew, and what can't be mended raises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate.v1 import job_service_pb2_grpc
from headgate_client import Client, HeadgateError
from tests.client.scripted import OPTIONS, fail

Context = grpc.aio.ServicerContext[Any, Any]

FIRST = pb.JobReport(name="jobs/orders-2025", dates=[pb.DateReport(successes=1)])
REST = pb.JobReport(dates=[pb.DateReport(successes=2)])
WHOLE = pb.JobReport(name=FIRST.name, dates=[*FIRST.dates, *REST.dates])


class Reports(job_service_pb2_grpc.JobServiceServicer):
    """Sends a report in two parts; the first `failures` times it breaks off after the first one."""

    def __init__(self, *failures: tuple[grpc.StatusCode, str]) -> None:
        self.failures = list(failures)
        self.seconds: list[float | None] = []
        self.empty_ends = 0

    async def GetJobReport(
        self, request: pb.GetJobReportRequest, context: Context
    ) -> AsyncIterator[pb.GetJobReportResponse]:
        self.seconds.append(context.time_remaining())
        if self.empty_ends:
            self.empty_ends -= 1
            return
        if request.verify:
            yield pb.GetJobReportResponse(progress=pb.ReportProgress(dates_total=2, dates_done=1))
        yield pb.GetJobReportResponse(report=FIRST)
        if self.failures:
            await fail(context, *self.failures.pop(0))
        yield pb.GetJobReportResponse(report=REST)


@asynccontextmanager
async def serving(*failures: tuple[grpc.StatusCode, str]) -> AsyncIterator[tuple[Client, Reports]]:
    reports = Reports(*failures)  # type: ignore[abstract]  # the rest answers UNIMPLEMENTED
    server = grpc.aio.server()
    job_service_pb2_grpc.add_JobServiceServicer_to_server(reports, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Client(f"127.0.0.1:{port}", options=OPTIONS) as client:
            yield client, reports
    finally:
        await server.stop(None)


async def test_the_parts_of_a_report_are_one_and_its_progress_is_told() -> None:
    told: list[int] = []
    async with serving() as (client, reports):
        plain = await client.jobs.report("orders-2025")
        report = await client.jobs.report(
            "orders-2025", verify=True, timeout=30, on_progress=lambda now: told.append(now.dates_done)
        )

    assert plain == report == WHOLE
    assert told == [1]
    assert reports.seconds[1] is not None and 0 < reports.seconds[1] < 40


async def test_a_stream_that_breaks_off_begins_anew_and_repeats_no_date() -> None:
    async with serving((grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")) as (client, reports):
        report = await client.jobs.handle("orders-2025").report()

    assert report == WHOLE
    assert len(reports.seconds) == 2


async def test_what_can_not_be_mended_is_raised_at_once() -> None:
    async with serving((grpc.StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT")) as (client, reports):
        with pytest.raises(HeadgateError) as caught:
            await client.jobs.report("orders-2025")

    assert caught.value.reason == "STATE_CONFLICT"
    assert len(reports.seconds) == 1


async def test_a_stream_that_ends_without_a_report_is_opened_again() -> None:
    async with serving() as (client, reports):
        reports.empty_ends = 1
        assert await client.jobs.report("orders-2025") == WHOLE

    assert len(reports.seconds) == 2
