"""SAQ, as its documentation shows it: `worker` or `drive`, and the URL of Redis."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from bench.peers import stamps
from bench.peers.driving import drive
from saq import Queue, Worker


async def started(_context: Any, *, value: float) -> None:
    """Note the start."""
    stamps.started(value)


async def finished(_context: Any, *, value: float) -> None:
    """Count the job."""
    stamps.finished(int(value))


async def main(role: str, url: str) -> None:
    """Be the worker, or drive it."""
    queue = Queue.from_url(url)
    if role == "worker":
        print("ready port=0", flush=True)
        await Worker(queue, functions=[started, finished], concurrency=100).start()
        return
    await queue.connect()
    await drive(lambda name, value: queue.enqueue(name, value=value, ttl=60), backlog=2_000)
    await queue.disconnect()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2]))
