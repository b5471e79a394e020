"""What the server's tests share: a real server on a free port, its stubs, and a worker that only appends events."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import commit, keys, queue_entries, snapshot
from headgate.v1.admin_service_pb2_grpc import AdminServiceStub
from headgate.v1.backfill_service_pb2_grpc import BackfillServiceStub
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate.v1.task_instance_service_pb2_grpc import TaskInstanceServiceStub
from headgate.v1.workflow_instance_service_pb2_grpc import WorkflowInstanceServiceStub
from headgate_server import app
from headgate_server.process.settings import PREFIX, Settings

if TYPE_CHECKING:  # the generated code has these only for type checkers
    from headgate.v1.admin_service_pb2_grpc import AdminServiceAsyncStub
    from headgate.v1.backfill_service_pb2_grpc import BackfillServiceAsyncStub
    from headgate.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from headgate.v1.task_instance_service_pb2_grpc import TaskInstanceServiceAsyncStub
    from headgate.v1.workflow_instance_service_pb2_grpc import WorkflowInstanceServiceAsyncStub

DAY = date(2025, 2, 5)


def quick_settings(redis_url: str, **given: Any) -> Settings:
    """Settings of a server that takes free ports and drains quickly.

    Those of numbers alone are made once: making them takes a quarter of the time of a short test, and they can't be
    changed. Others may name files, which are read.
    """
    if all(isinstance(value, int | float) for value in given.values()):
        own = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(PREFIX)))
        return _settings_once(own, redis_url, *given.items())
    return _settings(redis_url, **given)


@cache
def _settings_once(environment: tuple[tuple[str, str], ...], redis_url: str, *given: tuple[str, float]) -> Settings:
    return _settings(redis_url, **dict(given))


def _settings(redis_url: str, **given: Any) -> Settings:
    ports = {"listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0"}
    return Settings(**{"redis_url": redis_url, "drain_seconds": 2.0, **ports, **given})


class FakeWorker:
    """Appends events to jobs through the commit script, as a worker does."""

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._script = client.register_script(commit.SCRIPT)

    async def load(self, job_id: str) -> pb.Job:
        kept = await self._client.hget(keys.job(job_id), "snap")  # type: ignore[misc]
        found = snapshot.job_of(kept, await self._client.lindex(keys.log(job_id), 0))  # type: ignore[misc]
        assert found is not None
        return found

    async def append(self, job_id: str, *changes: pb.JobEvent, hints: bytes = b"") -> pb.Job:
        before = after = await self.load(job_id)
        events = []
        for change in changes:
            change.revision = after.revision + 1
            change.state = change.state or after.state
            change.event_time.GetCurrentTime()
            after = event_log.fold(after, change)
            events.append(change.SerializeToString())
        tick = commit.Wake(queue_entries.tick(job_id, nonce=secrets.token_hex(8), now_ms=0), 1000)
        wake = None if after.state in JOB_TERMINAL else tick
        fence = await self._client.hincrby(keys.job(job_id), "fence", 1)  # type: ignore[misc]
        change_ = commit.Commit(before.state, after, before.revision, tuple(events), fence, hints=hints, wake=wake)
        raw = await self._script(keys=commit.script_keys(change_), args=commit.script_arguments(change_))
        assert isinstance(commit.parse_answer(raw), commit.Committed), raw
        return after

    async def say(self, job_id: str, message: str = "something happened") -> pb.Job:
        return await self.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message=message))

    async def move(self, job_id: str, state: pb.JobState.ValueType) -> pb.Job:
        return await self.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state))

    async def finish(self, job_id: str) -> pb.Job:
        if (await self.load(job_id)).state == pb.JOB_STATE_QUEUED:
            await self.move(job_id, pb.JOB_STATE_RUNNING)
        return await self.move(job_id, pb.JOB_STATE_SUCCEEDED)


@dataclass(frozen=True, slots=True)
class World:
    channel: grpc.aio.Channel
    redis: "Redis"
    worker: FakeWorker
    address: str
    ops: str
    jobs: "JobServiceAsyncStub"
    backfills: "BackfillServiceAsyncStub"
    instances: "WorkflowInstanceServiceAsyncStub"
    admin: "AdminServiceAsyncStub"
    tasks: "TaskInstanceServiceAsyncStub"

    async def submit(self, **given: Any) -> str:
        """Submits a backfill of two dates; its job id."""
        return keys.job_id((await self.backfills.CreateBackfill(backfill(**given))).name)

    def watch(self, job_id: str, **given: Any) -> "grpc.aio.UnaryStreamCall[Any, pb.WatchJobResponse]":
        call: grpc.aio.UnaryStreamCall[Any, pb.WatchJobResponse]
        call = self.jobs.WatchJob(pb.WatchJobRequest(name=keys.job_name(job_id), **given))
        return call


@asynccontextmanager
async def connected(address: str, ops: str, redis_url: str) -> AsyncIterator[World]:
    client: Redis = Redis.from_url(redis_url)
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            yield World(
                channel,
                client,
                FakeWorker(client),
                address,
                ops,
                JobServiceStub(channel),
                BackfillServiceStub(channel),
                WorkflowInstanceServiceStub(channel),
                AdminServiceStub(channel),
                TaskInstanceServiceStub(channel),
            )
        finally:
            await client.aclose()
            await client.connection_pool.disconnect()


@asynccontextmanager
async def serving(redis_url: str, *, client_url: str = "", **given: Any) -> AsyncIterator[World]:
    """A server in this process, with stubs; `client_url` is where the test itself reaches Redis, if elsewhere."""
    async with app.running(quick_settings(redis_url, **given)) as server:
        address, ops = f"127.0.0.1:{server.grpc_port}", f"http://127.0.0.1:{server.ops_port}"
        async with connected(address, ops, client_url or redis_url) as world:
            yield world


def ranges(*days: date) -> Iterable[pb.DateRange]:
    for day in days:
        yield pb.DateRange(start_biz_date=dates.to_message(day), end_biz_date=dates.to_message(day))


def backfill(**given: Any) -> pb.CreateBackfillRequest:
    """A good request for two dates; `given` are members of the request."""
    request = pb.CreateBackfillRequest(**given)
    request.spec.project_id = 257880
    request.spec.name = "seed"
    request.spec.overlap = pb.OVERLAP_ALLOW
    request.spec.biz_dates.extend(ranges(DAY, DAY + timedelta(days=1)))
    properties = request.spec.default_run_properties
    properties.mode = pb.BACKFILL_MODE_ALL_DOWNSTREAM
    properties.parallelism = 1
    properties.root_task_ids.append(1023697426)
    return request


def status_of(error: grpc.RpcError) -> Status:
    assert isinstance(error, grpc.aio.AioRpcError)
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return Status.FromString(value if isinstance(value, bytes) else value.encode())
    raise AssertionError(f"no details: {error}")


def detail(status: Status, kind: type[Any]) -> Any:
    for packed in status.details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


def reason_of(error: grpc.RpcError) -> str:
    info = detail(status_of(error), error_details_pb2.ErrorInfo)
    assert info is not None and info.domain == "headgate"
    return str(info.reason)


def metadata_of(error: grpc.RpcError) -> dict[str, str]:
    return dict(detail(status_of(error), error_details_pb2.ErrorInfo).metadata)


def fields_of(status: Status) -> set[str]:
    found = detail(status, error_details_pb2.BadRequest)
    return {violation.field for violation in found.field_violations} if found else set()


async def until(condition: Callable[[], Any], *, seconds: float = 10) -> None:
    """Waits for a condition; its callers have nothing that wakes them."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.005)


async def gather_until_end(call: Any) -> list[pb.WatchJobResponse]:
    messages = []
    async with asyncio.timeout(30):
        while (message := await call.read()) is not grpc.aio.EOF:
            messages.append(message)
    return messages


def shape(messages: Iterable[pb.WatchJobResponse]) -> list[tuple[str, int]]:
    """What each message carries, and its revision; marks of progress are left out."""
    kinds = ((message.WhichOneof("payload") or "", message.revision) for message in messages)
    return [(kind, revision) for kind, revision in kinds if kind != "progress"]


async def refusal(call: Awaitable[object]) -> str:
    """Make a call that has to be refused, and tell the reason."""
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return reason_of(caught.value)
