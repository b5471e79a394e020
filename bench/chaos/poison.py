"""A job that kills whoever looks at it, and two versions of the worker on one queue."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.process import Process
from bench.chaos.proxy import Proxy, Side, TokenCut
from bench.chaos.results import Report, at_most, equal, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import Acks, adhoc
from bench.chaos.waiting import until_true
from bench.chaos.worker_faults import Load, under_load
from google.rpc.error_details_pb2 import ErrorInfo
from redis.asyncio import Redis

from headgate import entries, keys, pb
from headgate_worker.leased import LaneOptions, LeasedWorker

POISON = "poison"

TAKEN = re.compile(rb"\*\d+\r\n:1\r\n")
"""How the answer begins that hands a job out; other answers say that the job is busy or the script not known."""


@dataclass(frozen=True, slots=True)
class Poison:
    """Size of `poison-job`."""

    load: Load = field(default=Load(150, 8.0))
    workers: int = 3
    attempts: int = 5
    lease_seconds: float = 2.0


@dataclass(slots=True)
class _Deaths:
    """Workers behind proxies of their own; whoever has taken the poisoned job is killed on the spot, and replaced.

    The kill comes after Redis has handed the job out and before the worker hears of it, so the job is counted as taken
    and nothing is done with it: the same as a job whose first look at it ends the process.
    """

    stage: Stage
    open: AsyncExitStack
    wanted: int
    deaths: int = 0
    replacing: list[asyncio.Task[None]] = field(default_factory=list)

    async def add_worker(self) -> None:
        proxy = await self.open.enter_async_context(Proxy(self.stage.redis.port))
        worker = await self.stage.add_worker(HEADGATE_REDIS_URL=proxy.url)
        token = keys.job(POISON).encode() + b"\r\n"

        def struck(reply: bytes) -> bool:
            return TAKEN.match(reply) is not None and self.die(worker)

        if self.deaths < self.wanted:
            proxy.cut = TokenCut(token, Side.AFTER, count=1, struck=struck)

    def die(self, worker: Process) -> bool:
        """Kill a worker that has just been given the job; False when it has killed enough of them."""
        if self.deaths >= self.wanted:
            return False
        self.deaths += 1
        worker.strike()
        self.replacing.append(asyncio.create_task(self._replace(worker)))
        return True

    async def _replace(self, worker: Process) -> None:
        await self.stage.kill_worker(worker)
        await self.add_worker()


async def poison_job(trial: Trial, size: Poison | None = None) -> Report:
    """Submit a job that kills its worker each time it is taken, among others that are sound."""
    size = size or Poison()
    lease = {"HEADGATE_LEASE_SECONDS": str(size.lease_seconds), "HEADGATE_TICK_ATTEMPTS": str(size.attempts)}
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(Stage(Plan(workers=0, environment=lease)))
        deaths = _Deaths(stage, stack, size.attempts)
        await asyncio.gather(*(deaths.add_worker() for _ in range(size.workers)))
        began = time.monotonic()
        await Acks().submit(await stage.client(), adhoc(POISON))
        async with under_load(stage, size.load) as running:
            left = await stage.truth.settle([POISON], 90.0)
            poisoned_after = time.monotonic() - began
            trial.say(f"{deaths.deaths} workers died of it")
        await asyncio.gather(*deaths.replacing)
        judged = await judge(stage, running.acks.ids())
        found = (await stage.truth.jobs())[POISON]
        touched = sum(row.params.get("Name") == POISON for row in stage.emulator.ledger)
    checks = [
        none("poisoned job without an end", len(left)),
        equal("reason of its end", "JOB_POISONED", _reason(found.job)),
        equal("workers it killed", size.attempts, deaths.deaths),
        none("upstream calls made for it", touched),
        at_most("until it was given up, s", 60.0, poisoned_after),
    ]
    return Report(size.load.words, (*checks, *judged.checks), judged.figures)


def _reason(job: pb.Job) -> str:
    info = ErrorInfo()
    known = any(detail.Unpack(info) for detail in job.error.details)
    return str(info.reason if known else job.error.message)


@dataclass(frozen=True, slots=True)
class Versions:
    """Size of `two-versions`."""

    load: Load = field(default=Load(150, 10.0))
    unknown: int = 200
    broken: int = 20


async def two_versions(trial: Trial, size: Versions | None = None) -> Report:
    """Workers that know only `tick` and a worker that knows only `tock`, on one queue, with entries of both."""
    size = size or Versions()
    async with Stage(Plan(workers=2)) as stage:
        tocks = [_entry("tock", number) for number in range(size.unknown)]
        broken = [entries.Entry(f"tick:broken{number}:x", b"\x80\x04not json") for number in range(size.broken)]
        async with under_load(stage, size.load) as running:
            await _enqueue(stage, [*tocks, *broken])
            await asyncio.sleep(6.0)
            deleted = await _missing(stage, [*tocks, *broken])
            trial.say(f"{len(tocks) + len(broken)} unknown entries met workers for 6 s, {deleted} were deleted")
            done = await _newer_worker(stage, size.unknown)
        kept = size.broken - await _missing(stage, broken)
        await _forget(stage, broken)
        judged = await judge(stage, running.acks.ids())
    checks = [
        none("entries of the newer version deleted by the older", deleted),
        equal("entries that the newer version did once", size.unknown, done),
        equal("undecodable entries kept for a person", size.broken, kept),
    ]
    return Report(size.load.words, (*checks, *judged.checks), judged.figures)


def _entry(function: str, number: int) -> entries.Entry:
    name = f"t{number}"
    definition = entries.encode({"t": None, "f": function, "a": [name], "k": {}, "et": 0})
    return entries.Entry(f"{function}:{name}:{secrets.token_hex(6)}", definition)


async def _enqueue(stage: Stage, found: list[entries.Entry]) -> None:
    now_ms = await stage.truth.now_ms()
    async with stage.truth.redis.pipeline(transaction=True) as pipe:
        for entry in found:
            pipe.psetex(keys.arq_job(entry.id), entries.DEFINITION_TTL_MS, entry.definition)
            pipe.zadd(keys.TICKS, {entry.id: now_ms})
        await pipe.execute()


async def _missing(stage: Stage, found: list[entries.Entry]) -> int:
    defined = await stage.truth.redis.exists(*(keys.arq_job(entry.id) for entry in found))
    scores = await stage.truth.redis.zmscore(keys.TICKS, [entry.id for entry in found])
    return max(len(found) - int(defined), sum(score is None for score in scores))


async def _forget(stage: Stage, found: list[entries.Entry]) -> None:
    await stage.truth.redis.delete(*(keys.arq_job(entry.id) for entry in found))
    await stage.truth.redis.zrem(keys.TICKS, *(entry.id for entry in found))


async def _newer_worker(stage: Stage, wanted: int) -> int:
    """Run a lane that knows only `tock` until it has done them all; how many it did exactly once."""
    seen: list[str] = []

    async def tock(name: str) -> None:
        seen.append(name)

    redis: Redis = Redis.from_url(stage.redis.url)
    lane = LeasedWorker(redis, redis, {"tock": tock}, LaneOptions(keys.TICKS, 50), "newer")
    running = asyncio.create_task(lane.main())
    await until_true(lambda: len(set(seen)) >= wanted, 30.0)
    lane.stop()
    await running
    await redis.aclose()
    return sum(seen.count(name) == 1 for name in set(seen))
