"""Drives one peer: one job at a time, then a backlog at full speed. Needs no library; prints a line of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

Enqueue = Callable[[str, float], Awaitable[object]]
"""Puts a job on the queue: "started" with the time it is sent, or "finished" with how many there are in all."""

IN_FLIGHT = 16
PATIENCE_SECONDS = 60.0


async def drive(enqueue: Enqueue, *, backlog: int, singles: int = 15) -> None:
    """Measure, with the worker running, and print what was found."""
    stamps = Path(os.environ["BENCH_STAMPS"])
    starts = await _starts(enqueue, stamps, singles)
    began = time.monotonic()
    await _lanes(enqueue, backlog)
    enqueued = time.monotonic()
    last = await _after(stamps, lambda lines: [line for line in lines if line.startswith("end ")])
    found = {
        "submits": backlog / (enqueued - began),
        "start_ms": statistics.median(starts) * 1000,
        "jobs": backlog / (float(last.split()[1]) - began),
    }
    print(json.dumps(found), flush=True)


async def _starts(enqueue: Enqueue, stamps: Path, count: int) -> list[float]:
    found: list[float] = []
    for number in range(count + 1):
        await enqueue("started", time.monotonic())
        found.append(float(await _after(stamps, lambda lines, at=number: lines[at : at + 1])))
        await asyncio.sleep(0.03)
    return found[1:]  # the first one opens connections


async def _lanes(enqueue: Enqueue, count: int) -> None:
    numbers = iter(range(count))

    async def lane() -> None:
        for _ in numbers:
            await enqueue("finished", count)

    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))


async def _after(stamps: Path, pick: Callable[[list[str]], list[str]]) -> str:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := pick(_lines(stamps)):
            return found[0]
        await asyncio.sleep(0.005)
    raise TimeoutError("a job was not done")


def _lines(stamps: Path) -> list[str]:
    return stamps.read_text().splitlines() if stamps.exists() else []
