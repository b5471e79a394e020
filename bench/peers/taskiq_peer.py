"""taskiq with its Redis stream broker: `worker` or `drive`, and the URL of Redis."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from bench.peers import stamps
from bench.peers.driving import drive
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url=os.environ.get("BENCH_REDIS", ""))


@broker.task(task_name="started")
async def started(value: float) -> None:
    """Note the start."""
    stamps.started(value)


@broker.task(task_name="finished")
async def finished(value: float) -> None:
    """Count the job."""
    stamps.finished(int(value))


async def main() -> None:
    """Drive the worker."""
    await broker.startup()
    known = {"started": started, "finished": finished}
    await drive(lambda name, value: known[name].kiq(value), backlog=2_000)
    await broker.shutdown()


def work() -> None:
    """Become the worker."""
    print("ready port=0", flush=True)
    command = ("taskiq", "worker", "bench.peers.taskiq_peer:broker", "--workers", "1", "--max-async-tasks", "100")
    os.execv(sys.executable, (sys.executable, "-m", *command))


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        work()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
