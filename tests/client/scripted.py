# ruff: noqa: N802 - gRPC names its methods
"""A headgate server for client tests that misbehaves as it is told, stream by stream and call by call."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as PackedAny
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from headgate import pb
from headgate.job.event_log import incarnation, replay
from headgate.v1 import backfill_service_pb2_grpc, job_service_pb2_grpc
from headgate_client import Client, ClientOptions, RetryPolicy, WatchOptions

JOB = "jobs/orders-2025"
HURRIED = RetryPolicy(first_delay=0.001, longest_delay=0.002, budget=10)
OPTIONS = ClientOptions(retry=HURRIED, watch=WatchOptions(retry=HURRIED, patience=20))


class Fault(Enum):
    """How a stream ends before its time, or goes wrong."""

    NONE = auto()
    UNAVAILABLE = auto()
    CANCELLED = auto()
    RESET = auto()
    SILENT_END = auto()
    DRAINING = auto()
    MAX_AGE = auto()
    REPEAT = auto()
    GAP = auto()
    PROGRESS_AHEAD = auto()
    COMPACTED = auto()
    HISTORY_LOST = auto()
    WAIT = auto()
    HANG = auto()
    NOT_FOUND = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    """What one stream does: `sent` messages as they should be, then the fault."""

    sent: int = 1 << 30
    fault: Fault = Fault.NONE
    head: int = 1


def make_log(length: int, end: pb.JobState.ValueType = pb.JOB_STATE_SUCCEEDED) -> tuple[pb.JobEvent, ...]:
    """A whole log of `length` events, at least 3: accepted, running, rows, the end."""
    job = pb.Job(name=JOB, uid="u1", runs=[pb.InstanceRun(state=pb.RUN_STATE_PLANNED)])
    events = [pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)]
    events.append(pb.JobEvent(revision=2, type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_RUNNING))
    for revision in range(3, length):
        row = pb.InstanceRun(state=pb.RUN_STATE_RUNNING, upstream_message=f"at {revision}")
        events.append(
            pb.JobEvent(revision=revision, type=pb.EVENT_TYPE_RUN_CHANGED, state=pb.JOB_STATE_RUNNING, runs=[row])
        )
    events.append(pb.JobEvent(revision=length, type=pb.EVENT_TYPE_STATE_CHANGED, state=end))
    return tuple(events)


def packed(code: grpc.StatusCode, reason: str, message: str, *details: Message) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata with the rich form of an error."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain="headgate", metadata={"job": JOB})
    rows = []
    for detail in (info, *details):
        row = PackedAny()
        row.Pack(detail)
        rows.append(row)
    status = status_pb2.Status(code=code.value[0], message=message, details=rows)
    return (("grpc-status-details-bin", status.SerializeToString()),)


async def fail(
    context: grpc.aio.ServicerContext[Any, Any], code: grpc.StatusCode, reason: str, *details: Message
) -> NoReturn:
    """End the call with a rich error."""
    message = f"it is {reason.lower()}"
    await context.abort(code, message, trailing_metadata=packed(code, reason, message, *details))
    raise AssertionError


def retry_after(seconds: float) -> error_details_pb2.RetryInfo:
    delay = Duration()
    delay.FromNanoseconds(round(seconds * 1e9))
    return error_details_pb2.RetryInfo(retry_delay=delay)


@dataclass
class Script:
    """What the server does, and what it was asked."""

    log: tuple[pb.JobEvent, ...]
    plans: Iterator[Plan] = field(default_factory=lambda: iter(()))
    failures: list[grpc.StatusCode] = field(default_factory=list)
    watches: list[pb.WatchJobRequest] = field(default_factory=list)
    calls: list[tuple[str, Message]] = field(default_factory=list)
    jobs: dict[str, pb.Job] = field(default_factory=dict)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    seconds_left: float = 0.0

    def play(self, plans: Iterable[Plan]) -> None:
        self.plans = iter(plans)

    def job_at(self, revision: int) -> pb.Job:
        return replay(self.log[:revision])

    def message(self, revision: int, **payload: Any) -> pb.WatchJobResponse:
        mark = incarnation(self.log[revision - 1].SerializeToString()) if revision else ""
        return pb.WatchJobResponse(revision=revision, job=JOB, incarnation=mark, **payload)

    def snapshot(self, revision: int) -> pb.WatchJobResponse:
        return self.message(revision, snapshot=self.job_at(revision))

    def event(self, revision: int) -> pb.WatchJobResponse:
        return self.message(revision, event=self.log[revision - 1])

    def end(self, revision: int, reason: pb.StreamEndReason.ValueType) -> pb.WatchJobResponse:
        resume = 0 if reason == pb.STREAM_END_REASON_HISTORY_LOST else revision + 1
        return self.message(revision, end=pb.StreamEnd(reason=reason, resume_revision=resume))


Context = grpc.aio.ServicerContext[Any, Any]


class Jobs(job_service_pb2_grpc.JobServiceServicer):
    """JobService by script."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.Job:
        await self._called("GetJob", request, context)
        if request.name != JOB:
            await fail(context, grpc.StatusCode.NOT_FOUND, "JOB_UNKNOWN")
        return self.script.job_at(len(self.script.log))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        await self._called("ListJobs", request, context)
        page = int(request.page_token or 0)
        jobs = [pb.Job(name=f"jobs/j{page * 2 + i}") for i in range(2)]
        return pb.ListJobsResponse(jobs=jobs, next_page_token=str(page + 1) if page < 2 else "")

    async def ListJobEvents(self, request: pb.ListJobEventsRequest, context: Context) -> pb.ListJobEventsResponse:
        await self._called("ListJobEvents", request, context)
        start = max(request.start_revision, 1)
        rows = self.script.log[start - 1 : start + 1]
        after = start + len(rows)
        return pb.ListJobEventsResponse(job_events=rows, next_revision=after, end=after > len(self.script.log))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.Job:
        await self._called("CancelJob", request, context)
        return pb.Job(name=request.name, state=pb.JOB_STATE_CANCELLING)

    async def UpdateJob(self, request: pb.UpdateJobRequest, context: Context) -> pb.Job:
        await self._called("UpdateJob", request, context)
        return request.job

    async def ResolveJob(self, request: pb.ResolveJobRequest, context: Context) -> pb.Job:
        await self._called("ResolveJob", request, context)
        return pb.Job(name=request.name, state=pb.JOB_STATE_RUNNING)

    async def WatchJob(self, request: pb.WatchJobRequest, context: Context) -> AsyncIterator[pb.WatchJobResponse]:
        self.script.watches.append(request)
        async for message in self._stream(request.start_revision, request.mode, context):
            yield message

    async def RunJob(self, request: pb.RunJobRequest, context: Context) -> AsyncIterator[pb.WatchJobResponse]:
        self.script.calls.append(("RunJob", request))
        async for message in self._stream(0, request.mode, context):
            yield message

    async def WatchJobs(self, request: pb.WatchJobsRequest, context: Context) -> AsyncIterator[pb.WatchJobResponse]:
        self.script.calls.append(("WatchJobs", request))
        plan = next(self.script.plans, Plan())
        if plan.fault is Fault.COMPACTED:
            await fail(context, grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED")
        first = int(request.resume_token or 1)
        for revision in range(first, len(self.script.log) + 1)[: plan.sent]:
            message = self.script.event(revision)
            message.resume_token = str(revision)  # inclusive, so that a repeat shows
            yield message
        await self._go_wrong(plan, context)
        yield self.script.end(len(self.script.log), pb.STREAM_END_REASON_JOB_TERMINAL)

    async def _called(self, method: str, request: Message, context: Context) -> None:
        self.script.calls.append((method, request))
        self.script.metadata.append(dict(context.invocation_metadata() or ()))
        if self.script.failures:
            await fail(context, self.script.failures.pop(0), "STORE_UNAVAILABLE")

    async def _stream(
        self, start: int, mode: pb.WatchMode.ValueType, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        plan = next(self.script.plans, Plan())
        if plan.fault is Fault.COMPACTED and start:
            await fail(context, grpc.StatusCode.OUT_OF_RANGE, "REVISION_COMPACTED")
        sent = 0
        last = start - 1
        async for message in self._messages(start, mode, plan.head):
            if sent == plan.sent:
                break
            sent, last = sent + 1, message.revision
            yield message
        for message in self._misplaced(plan, last):
            yield message
        await self._go_wrong(plan, context)

    async def _messages(
        self, start: int, mode: pb.WatchMode.ValueType, head: int
    ) -> AsyncIterator[pb.WatchJobResponse]:
        length = len(self.script.log)
        first = start or min(head, length)
        if not start:
            yield self.script.snapshot(first)
            first += 1
        for revision in range(first, length + 1):
            latest = mode == pb.WATCH_MODE_LATEST_ONLY
            yield self.script.snapshot(revision) if latest else self.script.event(revision)
        yield self.script.end(length, pb.STREAM_END_REASON_JOB_TERMINAL)

    def _misplaced(self, plan: Plan, last: int) -> Iterator[pb.WatchJobResponse]:
        length = len(self.script.log)
        if plan.fault is Fault.REPEAT and 1 <= last <= length:
            yield from (self.script.event(revision) for revision in range(max(1, last - 2), last + 1))
        if plan.fault is Fault.GAP and last + 2 <= length and last >= 0:
            yield self.script.event(last + 2)
        if plan.fault is Fault.PROGRESS_AHEAD and 0 <= last < length:
            yield self.script.message(length, progress=pb.Progress())
        reason = {
            Fault.DRAINING: pb.STREAM_END_REASON_SERVER_DRAINING,
            Fault.MAX_AGE: pb.STREAM_END_REASON_MAX_STREAM_AGE,
            Fault.HISTORY_LOST: pb.STREAM_END_REASON_HISTORY_LOST,
        }.get(plan.fault)
        if reason is not None:
            yield self.script.end(max(last, 0), reason)

    async def _go_wrong(self, plan: Plan, context: Context) -> None:
        match plan.fault:
            case Fault.UNAVAILABLE:
                await fail(context, grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
            case Fault.CANCELLED:
                await context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")
            case Fault.RESET:
                await context.abort(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2")
            case Fault.HANG:
                await asyncio.Event().wait()
            case Fault.NOT_FOUND:
                await fail(context, grpc.StatusCode.NOT_FOUND, "JOB_UNKNOWN")
            case Fault.WAIT:
                await fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_LIMIT", retry_after(0.001))


class Backfills(backfill_service_pb2_grpc.BackfillServiceServicer):
    """BackfillService by script: one job per request_id."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def CreateBackfill(self, request: pb.CreateBackfillRequest, context: Context) -> pb.Job:
        self.script.calls.append(("CreateBackfill", request))
        if not request.spec.name:
            violation = error_details_pb2.BadRequest.FieldViolation(field="spec.name", description="must not be empty")
            bad = error_details_pb2.BadRequest(field_violations=[violation])
            await fail(context, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", bad)
        job = self.script.jobs.setdefault(
            request.request_id, pb.Job(name=f"jobs/{request.job_id or len(self.script.jobs)}", revision=1)
        )
        if self.script.failures:  # after the job was made: the answer is lost
            await fail(context, self.script.failures.pop(0), "STORE_UNAVAILABLE")
        return job

    async def PlanBackfill(self, request: pb.PlanBackfillRequest, context: Context) -> pb.BackfillPlan:
        self.script.calls.append(("PlanBackfill", request))
        self.script.seconds_left = context.time_remaining()
        return pb.BackfillPlan()


@dataclass(frozen=True)
class Running:
    """A running server and a client of it."""

    script: Script
    client: Client
    target: str


@asynccontextmanager
async def serve(log: tuple[pb.JobEvent, ...] = (), options: ClientOptions = OPTIONS) -> AsyncIterator[Running]:
    """Run the scripted server on a free port, with a client of it."""
    script = Script(log or make_log(6))
    server = grpc.aio.server()
    job_service_pb2_grpc.add_JobServiceServicer_to_server(Jobs(script), server)  # type: ignore[abstract]  # the rest answers UNIMPLEMENTED
    backfill_service_pb2_grpc.add_BackfillServiceServicer_to_server(Backfills(script), server)  # type: ignore[abstract]  # the rest answers UNIMPLEMENTED
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Client(f"127.0.0.1:{port}", options=options) as client:
            yield Running(script, client, f"127.0.0.1:{port}")
    finally:
        await server.stop(None)
        await asyncio.sleep(0)
