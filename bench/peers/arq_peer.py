"""ARQ with its defaults: `worker` or `drive`, and the URL of Redis."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker
from bench.peers import stamps
from bench.peers.driving import drive


async def started(_context: dict[str, Any], value: float) -> None:
    """Note the start."""
    stamps.started(value)


async def finished(_context: dict[str, Any], value: float) -> None:
    """Count the job."""
    stamps.finished(int(value))


async def main(role: str, url: str) -> None:
    """Be the worker, or drive it."""
    settings = RedisSettings.from_dsn(url)
    if role == "worker":
        print("ready port=0", flush=True)
        await Worker(functions=[started, finished], redis_settings=settings).async_run()
        return
    pool = await create_pool(settings)
    await drive(lambda name, value: pool.enqueue_job(name, value), backlog=200)
    await pool.aclose()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2]))
