"""An upstream of instances behind the read lane, answered as a worker does, with a ledger of reads."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status
from redis.asyncio import Redis

from headgate import pb
from headgate.reasons import Reason
from headgate.store import keys, queue_entries
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused

RUNNING = pb.WORKFLOW_INSTANCE_STATUS_RUNNING
SUCCESS = pb.WORKFLOW_INSTANCE_STATUS_SUCCESS

Call = "grpc.aio.UnaryStreamCall[Any, pb.WatchWorkflowInstancesResponse]"


class Upstream:
    """Instances as they stand; `errors` come before `rows`, and `reads` counts what was asked."""

    def __init__(self, redis: "Redis") -> None:
        self.redis = redis
        self.rows: dict[int | str, Any] = {}
        self.errors: dict[int | str, Status] = {}
        self.reads: Counter[int | str] = Counter()
        self.delay = 0.0
        self.silent = False

    def set(self, id_: int, state: pb.WorkflowInstanceStatus.ValueType = RUNNING, **given: Any) -> None:
        self.rows[id_] = pb.WorkflowInstance(id=id_, status=state, **given)

    def refuse(self, id_: int | str, reason: Reason, **given: Any) -> None:
        self.errors[id_] = status.describe(Refused(reason, "no", **given))

    async def observe(self, id_: int, *, follow_ms: int = 0, age_ms: int = 0) -> None:
        """As a job's read does."""
        row = self.rows[id_]
        row.observe_time.CopyFrom(await self._now(age_ms))
        await self.redis.set(keys.observation("", id_), row.SerializeToString())
        if follow_ms:
            await self.redis.set(keys.look("", id_), keys.LOOK_JOB, px=follow_ms)

    async def answer(self) -> None:
        while True:
            with suppress(AssertionError):  # nobody asked within a second
                await self._one(await take_question(self.redis, seconds=1))

    async def _one(self, asked: queue_entries.ReadRequest) -> None:
        workflow = asked.method == "GetWorkflowInstance"
        id_: int | str = (
            pb.GetWorkflowInstanceRequest.FromString(asked.request).id
            if workflow
            else pb.GetFlowInstanceRequest.FromString(asked.request).instance_id
        )
        self.reads[id_] += 1
        await asyncio.sleep(self.delay)
        if self.silent:
            return
        if error := self.errors.get(id_):
            reply = queue_entries.ReadReply(asked.id, False, error.SerializeToString())
        else:
            row = self.rows[id_]
            row.observe_time.CopyFrom(await self._now(0))
            await self.redis.set(keys.observation("", id_), row.SerializeToString())
            reply = queue_entries.ReadReply(asked.id, True, row.SerializeToString())
        await self.redis.rpush(asked.reply_to, queue_entries.encode_reply(reply))  # type: ignore[misc]

    async def _now(self, age_ms: int) -> Timestamp:
        seconds, micros = await self.redis.time()
        found = Timestamp()
        found.FromMilliseconds(seconds * 1000 + micros // 1000 - age_ms)
        return found


@asynccontextmanager
async def answering(redis: "Redis") -> AsyncIterator[Upstream]:
    upstream = Upstream(redis)
    task = asyncio.create_task(upstream.answer())
    try:
        yield upstream
    finally:
        task.cancel()
        await asyncio.wait([task])


async def rows(call: Any, count: int, *, seconds: float = 10) -> list[tuple[int, int]]:
    """Ids and statuses of the next rows; signs of life are left out."""
    found: list[tuple[int, int]] = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            message = await call.read()
            assert message is not grpc.aio.EOF, "it ended"
            if message.HasField("workflow_instance"):
                found.append((message.workflow_instance.id, message.workflow_instance.status))
    return found


async def rest(call: Any, *, seconds: float = 10) -> list[Any]:
    """What is left of a stream; signs of life are left out."""
    found: list[Any] = []
    async with asyncio.timeout(seconds):
        while (message := await call.read()) is not grpc.aio.EOF:
            if message.WhichOneof("payload") != "progress":
                found.append(message)
    return found


async def take_question(redis: "Redis", *, seconds: int = 5) -> queue_entries.ReadRequest:
    """As a worker does: kicked, it reads the definition of the entry."""
    popped: Any = await redis.blpop([keys.kick(keys.READS)], timeout=seconds)  # type: ignore[misc]
    assert popped is not None
    raw = await redis.get(keys.arq_job(popped[1].decode()))
    assert raw is not None
    definition = queue_entries.decode(raw)
    assert definition["f"] == queue_entries.READ
    return queue_entries.parse_read(definition["a"])


async def answer(redis: "Redis", ok: bool, payload: bytes) -> queue_entries.ReadRequest:
    asked = await take_question(redis)
    await redis.rpush(asked.reply_to, queue_entries.encode_reply(queue_entries.ReadReply(asked.id, ok, payload)))  # type: ignore[misc]
    return asked


async def both(
    call: Awaitable[Any], worker: Awaitable[queue_entries.ReadRequest]
) -> tuple[Any, queue_entries.ReadRequest]:
    found, asked = await asyncio.gather(call, worker)
    return found, asked


def instance(id_: int, **given: Any) -> pb.WorkflowInstance:
    return pb.WorkflowInstance(id=id_, name="seed", status_raw="Running", **given)
