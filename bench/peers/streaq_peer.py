"""streaq, as its documentation shows it: `worker` or `drive`, and the URL of Redis."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from bench.peers import stamps
from bench.peers.driving import drive
from streaq import Worker

worker = Worker(redis_url=os.environ.get("BENCH_REDIS", ""), concurrency=100)


@worker.task
async def started(value: float) -> None:
    """Note the start."""
    stamps.started(value)


@worker.task
async def finished(value: float) -> None:
    """Count the job."""
    stamps.finished(int(value))


async def enqueue(name: str, value: float) -> None:
    """Put a job on the queue."""
    await (started if name == "started" else finished).enqueue(value)


async def main(role: str) -> None:
    """Be the worker, or drive it."""
    if role == "worker":
        print("ready port=0", flush=True)
        await worker.run_async()
        return
    async with worker:
        await drive(enqueue, backlog=2_000)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
