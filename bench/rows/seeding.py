"""What has to stand in a store before something can be measured."""

from __future__ import annotations

from typing import Any

import grpc
from bench.setting import CREATE, Setting

from headgate import pb
from headgate.store import keys


async def ask(channel: grpc.aio.Channel, path: str, body: bytes) -> bytes:
    """One unary call with bytes both ways."""
    method: Any = channel.unary_unary(path)
    answer: bytes = await method(body, timeout=10)
    return answer


async def submit_one(port: str, body: bytes, path: str = CREATE) -> str:
    """Submit a request and give the name of its job."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        return pb.Job.FromString(await ask(channel, path, body)).name


async def put_observation(setting: Setting, seconds: float, id_: int = 4711) -> pb.GetWorkflowInstanceRequest:
    """Put an observation of an instance, as seen at `seconds` since 1970; the request that finds it."""
    seen = pb.WorkflowInstance(id=id_, name="bench", project_id=1, status=pb.WORKFLOW_INSTANCE_STATUS_RUNNING)
    seen.observe_time.FromMicroseconds(int(seconds * 1e6))
    redis = await setting.client()
    await redis.set(keys.observation("", id_), seen.SerializeToString())
    request = pb.GetWorkflowInstanceRequest(id=id_)
    request.max_staleness.FromSeconds(3600)
    return request
