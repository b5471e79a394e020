"""GetJobReport over gRPC: what it reads, what it asks upstream, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate.store import keys, queue_entries
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused
from headgate_server.reports import verifier
from tests.server.instances.test_upstream_reads import take_question
from tests.server.reports.logs import row
from tests.server.world import World, backfill, metadata_of, reason_of, until

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


async def test_a_report_of_the_log_asks_nothing_of_upstream(world: World) -> None:
    job_id = await succeeded(world)

    report, progress = await read(ask(world, job_id))

    assert report.statement.holds and not progress
    assert [day.instances[0].workflow_instance_id for day in report.dates] == [11, 12]
    assert not await world.redis.exists(keys.READS, keys.kick(keys.READS))


async def test_a_log_of_many_pages_is_read_to_its_end(world: World) -> None:
    job_id = await world.submit()
    await world.worker.append(job_id, *(pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message=str(n)) for n in range(450)))

    report, _ = await read(ask(world, job_id))

    assert report.revision == 451
    assert (len(report.notes), report.notes_omitted, report.notes[-1].message) == (200, 250, "449")


async def test_every_date_is_searched_and_what_a_search_leaves_out_is_read(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)]}
        upstream.instances = {12: row(12, index=1)}

        report, progress = await read(ask(world, job_id, verify=True))

    assert report.statement.holds and report.statement.basis == pb.REPORT_BASIS_UPSTREAM
    assert sorted(upstream.asked) == ["GetWorkflowInstance", "ListWorkflowInstances", "ListWorkflowInstances"]
    assert report.verification.reads == 3
    assert (progress[0].dates_total, progress[0].dates_done) == (2, 0)


async def test_names_that_only_begin_alike_are_no_instances_of_the_backfill(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        other = row(99)
        other.name = "orders-of-somebody-else"
        upstream.listed = {"2025-02-05": [row(11), other], "2025-02-06": [row(12, index=1)]}

        report, _ = await read(ask(world, job_id, verify=True))

    assert report.statement.holds


async def test_an_instance_that_upstream_has_no_more_is_not_verified(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)]}

        report, _ = await read(ask(world, job_id, verify=True))

    assert kinds(report) == ["NOT_VERIFIED"]
    assert "has no instance 12 any more" in report.statement.objections[0].description


async def test_a_read_that_may_succeed_later_is_waited_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "LEAST_WAIT", 0.05)
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)], "2025-02-06": [row(12, index=1)]}
        upstream.refusals = [status.describe(Refused(Reason.UPSTREAM_QPS, "slow down", retry_seconds=0.6))] * 2

        report, progress = await read(ask(world, job_id, verify=True))

    assert report.statement.holds
    assert any("UPSTREAM_QPS" in one.waiting_for for one in progress)


async def test_a_read_that_upstream_refuses_is_told_of_its_date(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)], "2025-02-06": [row(12, index=1)]}
        upstream.refusals = [status.describe(Refused(Reason.UPSTREAM_REFUSED, "not yours"))]

        report, _ = await read(ask(world, job_id, verify=True))

    assert kinds(report) == ["NOT_VERIFIED"]
    assert report.statement.objections[0].description == "UPSTREAM_REFUSED: not yours"
    assert report.verification.dates_verified == 1


async def test_a_deadline_brings_the_report_with_what_was_verified_until_then(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.is_silent = True

        report, _ = await read(ask(world, job_id, verify=True, timeout=2.5))

    assert kinds(report) == ["NOT_VERIFIED"]
    assert report.verification.dates_not_verified == 2


async def test_a_caller_that_leaves_ends_the_reads(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.is_silent = True
        call = ask(world, job_id, verify=True)
        await until(lambda: len(upstream.asked) == 2)
        call.cancel()

        async def withdrawn() -> bool:
            return not [name async for name in world.redis.scan_iter("arq:job:read:*")]

        await until(withdrawn)
        assert len(upstream.asked) == 2


async def test_other_jobs_have_no_report(world: World) -> None:
    request = pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[5]))
    job = await world.instances.StartWorkflowInstances(request)

    with pytest.raises(grpc.RpcError) as caught:
        await read(ask(world, keys.job_id(job.name)))

    assert reason_of(caught.value) == "STATE_CONFLICT"


async def test_a_job_that_is_not_there_is_unknown(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await read(ask(world, "nothing"))

    assert reason_of(caught.value) == "JOB_UNKNOWN"


async def test_an_event_that_cannot_be_read_leaves_the_log_incomplete(world: World) -> None:
    job_id = await succeeded(world)
    await world.redis.lset(keys.log(job_id), 2, b"\xff\xff")  # type: ignore[misc, arg-type]

    report, _ = await read(ask(world, job_id))

    assert "LOG_INCOMPLETE" in kinds(report)
    assert "event 3 can't be read" in report.statement.text


async def test_a_job_that_cannot_be_read_is_damaged(world: World) -> None:
    job_id = await succeeded(world)
    await world.redis.hset(keys.job(job_id), "snap", b"\xff")  # type: ignore[misc, arg-type]

    with pytest.raises(grpc.RpcError) as caught:
        await read(ask(world, job_id))

    assert (reason_of(caught.value), metadata_of(caught.value)["job"]) == ("JOB_DAMAGED", keys.job_name(job_id))
