"""headgate's own lane, with jobs that do nothing: `worker` or `drive`, and the URL of Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import uvloop
from bench.peers import stamps
from bench.peers.driving import drive
from redis.asyncio import Redis

from headgate.store import keys, queue_entries
from headgate_worker.queue.leased_worker import LaneOptions, LeasedWorker
from headgate_worker.store.clients import blocking_client, close, command_client

QUEUE = "bench"


async def started(value: float) -> None:
    """Note the start."""
    stamps.started(value)


async def finished(value: float) -> None:
    """Count the job."""
    stamps.finished(int(value))


async def work(redis: Redis, url: str) -> None:
    """Be the worker."""
    blocking = blocking_client(url, block_seconds=1.0)
    functions = {"started": started, "finished": finished}
    lane = LeasedWorker(redis, blocking, functions, LaneOptions(QUEUE, 100, drain_seconds=1.0), str(os.getpid()))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lane.stop)
    print("ready port=0", flush=True)
    await lane.main()
    await close(blocking)


async def enqueue(redis: Redis, name: str, value: float) -> None:
    """Put a job on the queue, with the commands that a commit uses for its tick."""
    now_ms, entry = int(time.time() * 1000), f"{name}:{os.urandom(8).hex()}"
    definition = queue_entries.encode({"t": None, "f": name, "a": [value], "k": {}, "et": now_ms})
    async with redis.pipeline(transaction=True) as pipe:
        pipe.psetex(keys.arq_job(entry), 60_000, definition)
        pipe.zadd(QUEUE, {entry: now_ms})
        pipe.lpush(keys.kick(QUEUE), entry)
        pipe.ltrim(keys.kick(QUEUE), 0, 999)
        await pipe.execute()


async def main(role: str, url: str) -> None:
    """Be the worker, or drive it."""
    redis = command_client(url, connections=64)
    if role == "worker":
        await work(redis, url)
    else:
        await drive(lambda name, value: enqueue(redis, name, value), backlog=2_000)
    await close(redis)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2]))
