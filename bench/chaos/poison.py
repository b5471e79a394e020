"""Jobs that break their worker, each in a way of its own, and two versions of the worker on one queue."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.poisonable import LATE, PREFIX, WAYS, announced, poisoned
from bench.chaos.process import Process
from bench.chaos.results import Check, Report, at_most, equal, none, quantile
from bench.chaos.stage import FEW_SLOTS, Plan, Stage, Trial
from bench.chaos.submits import Acks, adhoc
from bench.chaos.truth import Stored
from bench.chaos.verdicts import ONCE_ONLY
from bench.chaos.waiting import until_true
from bench.chaos.worker_faults import FaultLoad, under_load
from google.rpc.error_details_pb2 import ErrorInfo
from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys, queue_entries
from headgate_worker.queue.leased_worker import LaneOptions, LeasedWorker

MEGABYTES = 1_024
"""Address space of a worker: a sound one takes less than half of it, and 2 GB at once are far above."""

ENDS_WORKER = ("killed", "exit")
"""Ways of which nothing in the process can know; at all others it is to go on."""


@dataclass(frozen=True, slots=True)
class Poison:
    """Size of `poison-job`."""

    load: FaultLoad = field(default=FaultLoad(1_000, 11.0, watchers=100))
    ways: tuple[str, ...] = tuple(WAYS)
    workers: int = 3
    attempts: int = 5
    lease_seconds: float = 2.0


@dataclass(slots=True)
class _Workers:
    """Workers that break at poisoned jobs; one that ended is replaced at once, as by whatever starts them."""

    stage: Stage
    all: list[Process] = field(default_factory=list)
    deaths: int = 0
    keeping: set[asyncio.Task[None]] = field(default_factory=set)

    async def add(self) -> None:
        worker = await self.stage.add_worker("bench.chaos.poisonable", str(MEGABYTES))
        self.all.append(worker)
        task = asyncio.create_task(self._replace(worker))
        self.keeping.add(task)
        task.add_done_callback(self.keeping.discard)

    async def _replace(self, worker: Process) -> None:
        await worker.wait()
        self.deaths += 1
        self.stage.workers.remove(worker)
        await self.add()

    def tries(self, way: str) -> int:
        """How often workers broke in a way."""
        return sum(worker.said(announced(way)) for worker in self.all)

    async def leave(self) -> None:
        """Replace no worker any more."""
        for task in tuple(self.keeping):
            task.cancel()
        await asyncio.gather(*self.keeping, return_exceptions=True)


async def poison_job(trial: Trial, size: Poison | None = None) -> Report:
    """Submit one job after the other that breaks its worker, each in its way, among many that are sound."""
    size = size or Poison()
    lease = {"HEADGATE_LEASE_SECONDS": str(size.lease_seconds), "HEADGATE_TICK_ATTEMPTS": str(size.attempts)}
    checks: list[Check] = []
    async with Stage(Plan(workers=0, environment={**FEW_SLOTS, **lease})) as stage:
        workers = _Workers(stage)
        await asyncio.gather(*(workers.add() for _ in range(size.workers)))
        async with under_load(stage, size.load) as running:
            for way in size.ways:
                checks += await _poisoned(trial, stage, workers, way, size.attempts)
        await workers.leave()
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
        lives = [_life(job) for job in (await stage.truth.jobs()).values() if not job.job_id.startswith(PREFIX)]
    checks += [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_most("longest life of another job, s", 20.0, max(lives)),
    ]
    figures = {"workers that ended": workers.deaths, "life of another job p50, s": quantile(lives, 0.5)}
    return Report(size.load.words, (*checks, *judged.checks), {**figures, **judged.figures})


async def _poisoned(trial: Trial, stage: Stage, workers: _Workers, way: str, attempts: int) -> list[Check]:
    """One poisoned job from its submit to its end."""
    began, deaths, job_id = time.monotonic(), workers.deaths, poisoned(way)
    await Acks().submit(await stage.client(), adhoc(job_id))
    left = await stage.truth.settle([job_id], 60.0)
    seconds = time.monotonic() - began
    found = (await stage.truth.jobs())[job_id]
    made = [row for row in stage.emulator.ledger if row.action in ONCE_ONLY and row.params.get("Name") == job_id]
    trial.say(f"{way}: {workers.tries(way)} tries, {workers.deaths - deaths} workers ended, {seconds:.1f} s")
    late = way == LATE  # its first try has committed its intent, from which on tries are counted
    return [
        none(f"{way}: without an end", len(left)),
        equal(f"{way}: reason of its end", "JOB_POISONED", _reason(found.job)),
        equal(f"{way}: tries", attempts + late, workers.tries(way)),
        equal(f"{way}: workers that ended", attempts * (way in ENDS_WORKER), workers.deaths - deaths),
        equal(f"{way}: done upstream for it", int(late), len(made)),
        at_most(f"{way}: until it was given up, s", 60.0, seconds),
    ]


def _life(job: Stored) -> float:
    """Seconds from a job's first event to its last."""
    first, last = (pb.JobEvent.FromString(job.events[at]).event_time.ToMilliseconds() for at in (0, -1))
    return (last - first) / 1000


def _reason(job: pb.Job) -> str:
    info = ErrorInfo()
    known = any(detail.Unpack(info) for detail in job.error.details)
    return str(info.reason if known else job.error.message)


@dataclass(frozen=True, slots=True)
class Versions:
    """Size of `two-versions`."""

    load: FaultLoad = field(default=FaultLoad(150, 10.0))
    unknown: int = 200
    broken: int = 20


async def two_versions(trial: Trial, size: Versions | None = None) -> Report:
    """Workers that know only `tick` and a worker that knows only `tock`, on one queue, with entries of both."""
    size = size or Versions()
    async with Stage(Plan(workers=2)) as stage:
        tocks = [_entry("tock", number) for number in range(size.unknown)]
        broken = [
            queue_entries.QueueEntry(f"tick:broken{number}:x", b"\x80\x04not json") for number in range(size.broken)
        ]
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


def _entry(function: str, number: int) -> queue_entries.QueueEntry:
    name = f"t{number}"
    definition = queue_entries.encode({"t": None, "f": function, "a": [name], "k": {}, "et": 0})
    return queue_entries.QueueEntry(f"{function}:{name}:{secrets.token_hex(6)}", definition)


async def _enqueue(stage: Stage, found: list[queue_entries.QueueEntry]) -> None:
    now_ms = await stage.truth.now_ms()
    async with stage.truth.redis.pipeline(transaction=True) as pipe:
        for entry in found:
            pipe.psetex(keys.arq_job(entry.id), queue_entries.DEFINITION_TTL_MS, entry.definition)
            pipe.zadd(keys.TICKS, {entry.id: now_ms})
        await pipe.execute()


async def _missing(stage: Stage, found: list[queue_entries.QueueEntry]) -> int:
    defined = await stage.truth.redis.exists(*(keys.arq_job(entry.id) for entry in found))
    scores = await stage.truth.redis.zmscore(keys.TICKS, [entry.id for entry in found])
    return max(len(found) - int(defined), sum(score is None for score in scores))


async def _forget(stage: Stage, found: list[queue_entries.QueueEntry]) -> None:
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
