"""Celery on Redis, results off, one process: `worker` or `drive`, and the URL of Redis."""

from __future__ import annotations

import asyncio
import os
import sys

from bench.peers import stamps
from bench.peers.driving import drive
from celery import Celery

app = Celery("bench", broker=os.environ.get("BENCH_REDIS", ""))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)


@app.task(name="started")
def started(value: float) -> None:
    """Note the start."""
    stamps.started(value)


@app.task(name="finished")
def finished(value: float) -> None:
    """Count the job."""
    stamps.finished(int(value))


async def enqueue(name: str, value: float) -> None:
    """Put a job on the queue; Celery has no asynchronous way."""
    (started if name == "started" else finished).delay(value)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        print("ready port=0", flush=True)
        app.worker_main(["worker", "--concurrency", "1", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"])
    else:
        asyncio.run(drive(enqueue, backlog=2_000))
