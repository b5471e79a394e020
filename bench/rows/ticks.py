"""P4 and P13: ticks per second beside a stock ARQ worker, and what watching many long runs costs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bench.chaos.process import Process
from bench.costs import cpu_seconds
from bench.figures import Figure, Found, at_least, at_most, ratio
from bench.journal import Journal, running
from bench.setting import ANY, MEASURED, Setting, Size
from redis.asyncio import Redis

JOBS = 5_000
"""Each due every second: more than any of the workers does. With fewer the faster side would wait for work."""


async def p4(size: Size) -> Found:
    """Ticks per second of 1 and of 4 workers, each against as many stock ones."""
    figures, commands = [], []
    async with Setting() as setting:
        redis = await setting.client()
        await Journal(redis).write_all(change for number in range(JOBS) for change in running(number, "ticked"))
        for workers, goal in ((1, 3.0), (4, 4.0)):
            ours, theirs = [], []
            for _ in range(size.runs):
                rate, per_tick = await _rate(setting, redis, "leased", workers, size.seconds)
                ours.append(rate)
                commands.append(per_tick)
                theirs.append((await _rate(setting, redis, "arq", workers, size.seconds))[0])
            name = f"{workers} worker{'s' if workers > 1 else ''}"
            figures.append(ratio(f"ticks per second / a stock ARQ worker's, {name}", ours, theirs, at_least(goal)))
            figures.append(Figure(f"ticks per second, {name}", "/s", tuple(ours)))
    figures.append(Figure("Redis commands per tick, those in scripts included", "", tuple(commands)))
    return Found(
        tuple(figures),
        (
            "a tick here begins, reads one instance that runs, and commits; the cloud answers at once",
            "the stock worker runs the same engine, with max_jobs 100 and a poll delay of 10 ms",
        ),
    )


async def _rate(setting: Setting, redis: Redis, who: str, workers: int, seconds: float) -> tuple[float, float]:
    await _forget_claims(redis)
    core = MEASURED if workers == 1 else ANY
    started = [await setting.floor("bench.ticking", who, setting.redis.url, core=core) for _ in range(workers)]
    await Journal(redis).make_due()
    await asyncio.sleep(1.0)
    before, commands = _done(started), await _commands(redis)
    await asyncio.sleep(seconds)
    after, later = _done(started), await _commands(redis)
    for process in started:
        await process.kill()
    done = sum(after[pid][1] - before[pid][1] for pid in after)
    rate = sum((after[pid][1] - before[pid][1]) / (after[pid][0] - before[pid][0]) for pid in after)
    return rate, (later - commands) / max(1.0, done)


async def _forget_claims(redis: Redis) -> None:
    # What the last workers held when they were killed: a stock claim would stand in the way for minutes.
    for pattern in ("arq:in-progress:*", "arq:retry:*"):
        async for name in redis.scan_iter(pattern, count=5_000):
            await redis.delete(name)
    script: Any = redis.eval
    await script(
        "for _, id in ipairs(redis.call('KEYS', 'hg:job:*')) do redis.call('HSET', id, 'lease', '0', 'att', '0') end", 0
    )


async def _commands(redis: Redis) -> int:
    return int((await redis.info("stats"))["total_commands_processed"])


def _done(processes: list[Process]) -> dict[int, tuple[float, float]]:
    found = {}
    for process in processes:
        line = json.loads(next(line for line in reversed(process.lines) if line.startswith("{")))
        found[process.pid] = (line["at"], line["done"])
    return found


async def p13(size: Size) -> Found:
    """CPU of the one worker that watches 10,000 jobs whose runs take long, with the quota of one edition."""
    jobs, seconds = (1_000, 4.0) if size.quick else (10_000, 20.0)
    async with Setting() as setting:
        journal = Journal(await setting.client())
        await journal.write_all(change for number in range(jobs) for change in running(number, "long"))
        cloud = await setting.floor("bench.upstream.server", core=1)
        url = f"http://127.0.0.1:{cloud.addresses['port']}"
        worker = await setting.worker(url, HEADGATE_DATAWORKS_EDITION="enterprise")
        await journal.make_due()
        await asyncio.sleep(seconds)
        shares = []
        for _ in range(size.runs):
            before = cpu_seconds(worker.pid)
            await asyncio.sleep(seconds / 2)
            shares.append((cpu_seconds(worker.pid) - before) / (seconds / 2) * 100)
    return Found(
        (
            Figure(
                f"CPU of the worker that watches {jobs:,} running jobs", "% of a core", tuple(shares), at_most(50, 25)
            ),
        ),
        ("the quota of the Enterprise edition: 50 reads a second for all workers together",),
    )
