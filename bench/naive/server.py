"""`python -m bench.naive.server REDIS_PORT`: a submit enqueues an ARQ job, a watch is a subscription to Redis."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from redis.asyncio import Redis

SUBMIT = "/bench.Naive/Submit"
WATCH = "/bench.Naive/Watch"


class Naive:
    """The service."""

    def __init__(self, pool: ArqRedis, port: int) -> None:
        self._pool = pool
        self._port = port

    async def submit(self, request: bytes, _context: Any) -> bytes:
        """Enqueue a job; the request is the instance's name."""
        job = await self._pool.enqueue_job("run_workflow", request.decode())
        return job.job_id.encode() if job else b""

    async def watch(self, request: bytes, _context: Any) -> AsyncIterator[bytes]:
        """What is published about a job from now on."""
        redis: Redis = Redis(port=self._port)
        async with redis, redis.pubsub() as channel:
            await channel.subscribe(f"events:{request.decode()}")
            async for message in channel.listen():
                if message["type"] == "subscribe":
                    yield b"ready"
                elif message["type"] == "message":
                    yield message["data"]


async def main(port: int) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    naive = Naive(await create_pool(RedisSettings(port=port)), port)
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    methods: dict[str, Any] = {
        "Submit": grpc.unary_unary_rpc_method_handler(naive.submit),
        "Watch": grpc.unary_stream_rpc_method_handler(naive.watch),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Naive", methods),))
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready port={bound}", flush=True)
    await stop.wait()
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
