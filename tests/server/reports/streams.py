"""Reports over gRPC as a caller reads them, and an upstream that answers what a verification asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
from google.rpc.status_pb2 import Status
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate.store import keys, queue_entries
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused
from tests.server.instance_rows import take_question
from tests.server.world import World, backfill

Answer = Callable[[Any], Any]


class Upstream:
    """Answers reads as a worker does: lists by date, instances by id, an error for either."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.listed: dict[str, list[pb.WorkflowInstance]] = {}
        self.instances: dict[int, pb.WorkflowInstance] = {}
        self.refusals: list[Status] = []
        self.asked: list[str] = []
        self.is_silent = False

    async def answer(self) -> None:
        while True:
            with suppress(AssertionError):  # no question within a second
                await self._one(await take_question(self._redis, seconds=1))

    async def _one(self, asked: queue_entries.ReadRequest) -> None:
        self.asked.append(asked.method)
        if self.is_silent:
            return
        ok, found = self._found(asked)
        reply = queue_entries.encode_reply(queue_entries.ReadReply(asked.id, ok, found.SerializeToString()))
        await self._redis.rpush(asked.reply_to, reply)  # type: ignore[misc]

    def _found(self, asked: queue_entries.ReadRequest) -> tuple[bool, Any]:
        if self.refusals:
            return False, self.refusals.pop(0)
        if asked.method == "ListWorkflowInstances":
            request = pb.ListWorkflowInstancesRequest.FromString(asked.request)
            day = dates.from_message(request.biz_dates[0].start_biz_date).isoformat()
            return True, pb.ListWorkflowInstancesResponse(workflow_instances=self.listed.get(day, []))
        instance_id = pb.GetWorkflowInstanceRequest.FromString(asked.request).id
        if instance_id in self.instances:
            return True, self.instances[instance_id]
        return False, status.describe(Refused(Reason.INSTANCE_UNKNOWN, "no such instance"))


@asynccontextmanager
async def answering(world: World) -> AsyncIterator[Upstream]:
    upstream = Upstream(world.redis)
    task = asyncio.create_task(upstream.answer())
    try:
        yield upstream
    finally:
        task.cancel()
        await asyncio.wait([task])


async def succeeded(world: World) -> str:
    """A backfill of two dates that has succeeded, with instances 11 and 12; its job id."""
    request = backfill()
    request.spec.name = "orders"
    job = await world.backfills.CreateBackfill(request)
    job_id = keys.job_id(job.name)
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    runs = [
        pb.InstanceRun(
            index=run.index,
            biz_date=run.biz_date,
            state=pb.RUN_STATE_SUCCEEDED,
            attempt=1,
            upstream_status="Success",
            workflow_instance_id=11 + run.index,
        )
        for run in job.runs
    ]
    await world.worker.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=runs))
    await world.worker.finish(job_id)
    return job_id


async def read(call: Any) -> tuple[pb.JobReport, list[pb.ReportProgress]]:
    """The report of a stream, and the progress that came before it."""
    report, progress = pb.JobReport(), []
    async with asyncio.timeout(30):
        while (message := await call.read()) is not grpc.aio.EOF:
            if message.HasField("report"):
                report.MergeFrom(message.report)
            else:
                progress.append(message.progress)
    return report, progress


def ask(world: World, job_id: str, *, verify: bool = False, **given: Any) -> Any:
    return world.jobs.GetJobReport(pb.GetJobReportRequest(name=keys.job_name(job_id), verify=verify), **given)


def kinds(report: pb.JobReport) -> list[str]:
    return [pb.ObjectionKind.Name(one.kind).removeprefix("OBJECTION_KIND_") for one in report.statement.objections]
