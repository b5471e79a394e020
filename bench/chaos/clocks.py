"""Wall clocks that are wrong, of workers and server or of Redis' own machine, and that jump while jobs run."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import grpc
from bench.chaos.floods import Depth
from bench.chaos.judging import judge
from bench.chaos.results import Check, Report, at_least, at_most, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import Acks, backfill
from bench.chaos.truth import Stored
from bench.chaos.waiting import NEVER, until
from bench.chaos.wall_clocks import NoCompilerError, WallClocks
from bench.chaos.worker_faults import FaultLoad, under_load

from headgate import pb
from headgate.store import keys
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_cli.dev.redis_server import find_redis_server
from headgate_emulator.faults import FailRun


@dataclass(frozen=True, slots=True)
class Skew:
    """Size of `clock-skew`. Seconds by which each clock is wrong, and by how much all of them jump about that."""

    load: FaultLoad = field(default=FaultLoad(150, 10.0, watchers=50))
    retried: int = 20
    wait: float = 3.0
    server: float = 30.0
    workers: tuple[float, ...] = (3_600.0, -3_600.0)
    jump: float = 600.0
    every: float = 3.0
    tolerance: float = 1.0


async def clock_skew(trial: Trial, size: Skew | None = None) -> Report:
    """Let every process but Redis believe in another wall clock, and let all of these jump while jobs run."""
    size = size or Skew()
    try:
        async with WallClocks() as clocks:
            return await _skewed(trial, size, clocks)
    except NoCompilerError as error:
        return _not_tried(error)


def _not_tried(error: NoCompilerError) -> Report:
    return Report("", (Check("tried", "yes", str(error), False),))


async def _skewed(trial: Trial, size: Skew, clocks: WallClocks) -> Report:
    wait = {"HEADGATE_DATE_RETRY_MIN_SECONDS": str(size.wait)}
    wrong = {"server": size.server, **{f"worker{n}": by for n, by in enumerate(size.workers)}}
    for name, seconds in wrong.items():
        clocks.set(name, seconds)
    acks, depth = Acks(), Depth()
    async with Stage(Plan(workers=0, servers=0, environment=wait)) as stage:
        await stage.add_server(**clocks.environment("server"))
        await asyncio.gather(*(stage.add_worker(**clocks.environment(f"worker{n}")) for n in range(len(size.workers))))
        helpers = [asyncio.create_task(depth.watch(stage)), asyncio.create_task(_jumping(clocks, wrong, size))]
        stage.emulator.faults.add([FailRun(name=f"r{n}") for n in range(size.retried)])
        async with under_load(stage, size.load) as running:
            client = await stage.client()
            for number in range(size.retried):
                await acks.submit(client, _tried_twice(f"r{number}"))
            told = await _told_time(stage, acks.ids()[0])
            trial.say(f"the server's word on the time is {told:.3f} s off")
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        judged = await judge(stage, [*running.acks.ids(), *acks.ids()], running.crowd.records)
        jobs = await stage.truth.jobs()
        stamps = await _stamps(stage, jobs)
        made = Counter(
            row.params.get("Name", "") for row in stage.emulator.ledger if row.action == _CREATE and row.applied
        )
        refused = sum(row.code.startswith("InvalidTimeStamp") for row in stage.emulator.ledger)
    waits = [_waited(jobs[job_id]) for job_id in acks.ids() if job_id in jobs]
    checks = [
        none(
            "submits that were not acknowledged", size.load.jobs + size.retried - len(running.acks.ids() + acks.ids())
        ),
        at_least("shortest wait of a failed date, s", size.wait - size.tolerance, min(waits)),
        at_most("longest wait of a failed date, s", size.wait + size.tolerance, max(waits)),
        at_most("queue behind its time, most, s", size.tolerance, depth.behind),
        at_most("event's time off the store's, most, s", size.tolerance, max(stamps)),
        at_most("server's word on the time off the store's, s", size.tolerance, told),
        none("calls that upstream refused for their time", refused),
        none("failed dates with another number of instances than 2", sum(made[job_id] != 2 for job_id in acks.ids())),
        *_without_tries(judged.checks),
    ]
    figures = {"wait of a failed date p50, s": quantile(waits, 0.5), **judged.figures}
    return Report(f"{size.load.words}, {size.retried} dates that fail once", tuple(checks), figures)


_CREATE = "CreateWorkflowInstances"


def _without_tries(checks: Collection[Check]) -> list[Check]:
    """The checks but those that take a second create for a fault: the dates that fail once have one on purpose."""
    return [check for check in checks if "create" not in check.what]


def _tried_twice(word: str) -> pb.CreateBackfillRequest:
    request = backfill(word, 1)
    request.spec.max_attempts_per_date = 2
    return request


def _waited(job: Stored) -> float:
    """Seconds from the event that says that the date failed to the one that tries it again, by the store's clock."""
    events = [pb.JobEvent.FromString(event) for event in job.events]
    failed = [event for event in events if any(run.state == pb.RUN_STATE_FAILED for run in event.runs)]
    again = [event for event in events if any(run.retries == 1 for run in event.runs)]
    if not failed or not again:
        return NEVER
    return (again[0].event_time.ToMilliseconds() - failed[0].event_time.ToMilliseconds()) / 1000


async def _jumping(clocks: WallClocks, wrong: Mapping[str, float], size: Skew) -> None:
    """Make every clock jump forward and back, until cancelled."""
    for number in itertools.count():
        await asyncio.sleep(size.every)
        for name, seconds in wrong.items():
            clocks.set(name, seconds + (size.jump if number % 2 == 0 else 0.0))


async def _told_time(stage: Stage, job_id: str) -> float:
    """How far a sign of life of the server is from the store's time, in seconds."""
    async with grpc.aio.insecure_channel(stage.servers[0].addresses["grpc"]) as channel:
        request = pb.WatchJobRequest(name=keys.job_name(job_id))
        request.progress_interval.FromSeconds(1)
        async with asyncio.timeout(20.0):
            async for message in JobServiceStub(channel).WatchJob(request):
                if message.HasField("progress"):
                    said_ms: int = message.progress.server_time.ToMilliseconds()
                    return abs(said_ms - await stage.truth.now_ms()) / 1000
    return NEVER


async def _stamps(stage: Stage, jobs: Mapping[str, Stored]) -> list[float]:
    """How far the time in each event is from the store's when it was committed, in seconds."""
    entries = await stage.truth.redis.xrange(keys.FEED)
    found = []
    for entry_id, entry in entries:
        job = jobs.get(entry[b"i"].decode())
        if job is not None and int(entry[b"r"]) <= job.revision:
            event = pb.JobEvent.FromString(job.events[int(entry[b"r"]) - 1])
            found.append(abs(int(entry_id.split(b"-")[0]) - event.event_time.ToMilliseconds()) / 1000)
    return found


@dataclass(frozen=True, slots=True)
class StepBack:
    """Size of `store-clock-back`. Seconds."""

    load: FaultLoad = field(default=FaultLoad(250, 10.0, watchers=80))
    before: float = 8.0
    step: float = 30.0
    margin: float = 5.0


async def store_clock_back(trial: Trial, size: StepBack | None = None) -> Report:
    """Set the clock of Redis' machine back while jobs run."""
    size = size or StepBack()
    try:
        async with WallClocks() as clocks:
            return await _set_back(trial, size, clocks)
    except NoCompilerError as error:
        return _not_tried(error)


async def _set_back(trial: Trial, size: StepBack, clocks: WallClocks) -> Report:
    clocks.set("redis", 0.0)
    program = clocks.wrapped("redis", find_redis_server())
    async with Stage(Plan(workers=2, redis=program)) as stage:
        async with under_load(stage, size.load) as running:
            await asyncio.sleep(size.before)
            open_jobs = await _open_jobs(stage)
            at_ms = await stage.truth.now_ms()
            clocks.set("redis", -size.step)
            stepped = at_ms / 1000 - await stage.truth.now_ms() / 1000
            trial.say(f"the store's clock is {stepped:.1f} s back, {len(open_jobs)} jobs are open")
            moved = await until(lambda: _all_moved(stage, open_jobs), size.step + 30.0)
            trial.say(f"each of them has moved within {moved:.1f} s")
        judged = await judge(stage, running.acks.ids(), running.crowd.records, seconds=90.0)
        ids = [entry_id for entry_id, _ in await stage.truth.redis.xrange(keys.FEED)]
    slowest = max(ack.seconds for ack in running.acks.all)
    broken = sum(one.said("Traceback") + one.said("invalid expire") for one in (*stage.servers, *stage.workers))
    checks = [
        at_least("clock of the store set back, s", size.step - 1.0, stepped),
        at_least("jobs open at that moment", 10, len(open_jobs)),
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_most("longest submit, s", 2.0, slowest),
        at_most("until every job that was open has moved, s", size.step + size.margin, moved),
        none("entries of the feed out of order", sum(a >= b for a, b in pairwise(map(_entry_key, ids)))),
        none("lines with an error of the program, or of an expiry", broken),
        *judged.checks,
    ]
    return Report(size.load.words, tuple(checks), {"feed entries": len(ids), **judged.figures})


def _entry_key(entry_id: bytes) -> tuple[int, int]:
    at_ms, _, number = entry_id.partition(b"-")
    return int(at_ms), int(number)


async def _open_jobs(stage: Stage) -> dict[str, int]:
    """Jobs that are under way, each with its revision."""
    jobs = await stage.truth.jobs()
    return {job.job_id: job.revision for job in jobs.values() if not job.settled}


async def _all_moved(stage: Stage, before: Mapping[str, int]) -> bool:
    jobs = await stage.truth.jobs()
    return all(jobs[job_id].settled or jobs[job_id].revision > revision for job_id, revision in before.items())
