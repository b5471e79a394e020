"""Jobs with a log, and reading their streams, for tests of watching."""

import asyncio
from typing import Any

import grpc

from headgate import pb
from headgate.store import keys
from tests.server.world import World


async def build(world: World, *, events: int = 4, finished: bool = True) -> str:
    """A job with a log of so many events, the last of which ends it if asked to."""
    job_id = await world.submit()
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    for _ in range(events - 2 - finished):
        await world.worker.say(job_id)
    if finished:
        await world.worker.finish(job_id)
    return job_id


async def stored(world: World, job_id: str) -> list[bytes]:
    found: list[bytes] = await world.redis.lrange(keys.log(job_id), 0, -1)  # type: ignore[misc]
    return found


async def read(call: "grpc.aio.UnaryStreamCall[Any, pb.WatchJobResponse]", count: int) -> list[pb.WatchJobResponse]:
    async with asyncio.timeout(10):
        return [await call.read() for _ in range(count)]  # type: ignore[misc]
