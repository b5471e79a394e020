"""P5, P6 and P7: what a watcher gets and when, beside bare streams of bytes that are there already."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

import grpc
from bench.chaos.process import Process
from bench.chaos.waiting import until_true
from bench.costs import resident_bytes
from bench.figures import Figure, Found, at_least, at_most, quantile, ratio
from bench.floor.stream import TRIGGER, WATCH
from bench.journal import Journal, accepted, event
from bench.rows.seeding import ask
from bench.setting import WATCH_JOB, Setting, Size

from headgate import pb

PATIENCE_SECONDS = 20.0
"""How long a message may take before the row is given up."""

RNG = random.Random(1)


class Lines:
    """What a process of streams says, line by line."""

    def __init__(self, process: Process) -> None:
        self._lines: deque[str] = process.lines
        self._lines.clear()

    async def next(self) -> dict[str, float | str]:
        """Its next line.

        Raises:
            TimeoutError: there is none for a long time.
        """
        if await until_true(lambda: bool(self._lines), PATIENCE_SECONDS, pause=0.001) > PATIENCE_SECONDS:
            raise TimeoutError("a message did not come")
        found: dict[str, float | str] = json.loads(self._lines.popleft())
        return found


async def p5(size: Size) -> Found:
    """From the moment a commit is sent until a watcher has its event, with 1,000 watchers and 100 events a second."""
    watchers, seconds = (1_000, 2.0) if size.quick else (1_000, 6.0)
    async with Setting() as setting:
        server, journal = await setting.server(), Journal(await setting.client())
        pairs = [accepted(number, "watched") for number in range(watchers)]
        await journal.write_all(change for _, change in pairs)
        jobs = {job.name: job for job, _ in pairs}
        lines = Lines(await setting.streams(server, WATCH_JOB, watchers, jobs=list(jobs), each=True))
        middles, slowest = [], []
        for _ in range(size.runs):
            times = await _paced(journal, jobs, lines, count=int(seconds * 100 / size.runs))
            middles.append(quantile(times, 0.5) * 1000)
            slowest.append(quantile(times, 0.99) * 1000)
    return Found(
        (
            Figure("commit sent to event received, p50", "ms", tuple(middles), at_most(2, 1)),
            Figure("commit sent to event received, p99", "ms", tuple(slowest), at_most(10)),
        ),
        (f"{watchers:,} watchers on 10 connections, each of a job of its own; 100 events/s, written as a worker does",),
    )


async def _paced(journal: Journal, jobs: dict[str, pb.Job], lines: Lines, *, count: int) -> list[float]:
    sent: dict[tuple[str, int], float] = {}
    times: list[float] = []

    async def collect() -> None:
        while len(times) < count:
            line = await lines.next()
            times.append(float(line["at"]) - sent[str(line["job"]), int(line["revision"])])

    collecting = asyncio.create_task(collect())
    began = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / 100 - time.monotonic()))
        name = RNG.choice(list(jobs))
        jobs[name], change = event(jobs[name])
        sent[name, jobs[name].revision] = time.monotonic()
        await journal.write(change)
    await collecting
    return times


async def p6(size: Size) -> Found:
    """How long one event takes to reach N watchers of one job, against bare streams."""
    figures = []
    for watchers in (100, 1_000) if size.quick else (100, 1_000, 5_000):
        async with Setting() as setting:
            figures += await _fan_out(setting, size, watchers)
    return Found(
        tuple(figures), ("time from sending the commit, or the trigger, until the last watcher has its message",)
    )


async def _fan_out(setting: Setting, size: Size, watchers: int) -> list[Figure]:
    server = await setting.server()
    plain, tuned = await _bare(setting, watchers), await _bare(setting, watchers, "--collector")
    journal = Journal(await setting.client())
    job, change = accepted(1, "watched")
    await journal.write(change)
    ours = Lines(await setting.streams(server, WATCH_JOB, watchers, jobs=[job.name]))
    mine, bare, same = [], [], []
    for _ in range(2 + size.runs * 3):
        job, change = event(job)
        began = time.monotonic()
        await journal.write(change)
        mine.append(float((await ours.next())["at"]) - began)
        bare.append(await plain(change.events[0] + b" " * 60))
        same.append(await tuned(change.events[0] + b" " * 60))
    what = f"bare streams' time / ours, {watchers:,} watchers"
    return [
        ratio(what, bare[2:], mine[2:], at_least(0.80, 0.95)),
        ratio(f"the same, bare streams with our collector, {watchers:,} watchers", same[2:], mine[2:]),
        Figure(f"one event to {watchers:,} watchers", "ms", tuple(value * 1000 for value in mine[2:])),
    ]


async def _bare(setting: Setting, watchers: int, *options: str) -> Callable[[bytes], Awaitable[float]]:
    """Bare streams that are open; sends one message to all and gives the time until the last one has it."""
    floor = await setting.floor("bench.floor.stream", *options)
    lines = Lines(await setting.streams(floor, WATCH, watchers))
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{floor.addresses['port']}")
    setting.closes(channel.close)

    async def send(message: bytes) -> float:
        began = time.monotonic()
        await ask(channel, TRIGGER, message)
        return float((await lines.next())["at"]) - began

    return send


async def p7(size: Size) -> Found:
    """Memory per idle watcher against an open bare stream."""
    watchers, runs = (1_000, 1) if size.quick else (4_000, 3)
    ours, theirs = [], []
    for _ in range(runs):
        async with Setting() as setting:
            journal = Journal(await setting.client())
            pairs = [accepted(number, "watched") for number in range(watchers)]
            await journal.write_all(change for _, change in pairs)
            server, floor = await setting.server(), await setting.floor("bench.floor.stream")
            ours.append(await _growth(setting, server, WATCH_JOB, watchers, [job.name for job, _ in pairs]))
            theirs.append(await _growth(setting, floor, WATCH, watchers, []))
    return Found(
        (
            ratio("RSS per idle watcher / per bare stream", ours, theirs, at_most(1.15, 1.0)),
            Figure("RSS per idle watcher", "kB", tuple(value / 1000 for value in ours)),
            Figure("RSS per bare stream", "kB", tuple(value / 1000 for value in theirs)),
        ),
        (f"{watchers:,} streams on 10 connections, each of a job of its own",),
    )


async def _growth(setting: Setting, server: Process, path: str, watchers: int, jobs: list[str]) -> float:
    warm = await setting.streams(server, path, 100, jobs=jobs[:100])
    before = resident_bytes(server.pid)
    streams = await setting.streams(server, path, watchers, jobs=jobs)
    await asyncio.sleep(1.0)
    after = resident_bytes(server.pid)
    for process in (streams, warm):
        await process.stop()
    return (after - before) / watchers
