"""Redis that answers and refuses: read-only, full, emptied, set up to evict."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.chaos import verdicts
from bench.chaos.judging import judge
from bench.chaos.process import Process, ProcessLaunch
from bench.chaos.results import Check, Report, at_least, at_most, equal, none
from bench.chaos.stage import IMPATIENT, Plan, Stage, Trial
from bench.chaos.submits import Ack, Acks, SubmitOutcome, light, mixed
from bench.chaos.waiting import until
from bench.chaos.watches import WatcherCrowd

from headgate import pb
from headgate_client import Client, HeadgateError


@dataclass(frozen=True, slots=True)
class Refusing:
    """Size of `redis-read-only`, `redis-misconf` and `redis-full`."""

    jobs: int = 150
    per_second: float = 10.0
    before: float = 5.0
    refusing: float = 10.0
    quiet: float = 5.0


_Switch = Callable[[Stage], Awaitable[object]]


@dataclass(slots=True)
class _RefusalResult:
    noticed: float = 0.0
    commands_per_second: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    recovered: float = 0.0
    unfolded: int = 0
    reads_refused: int = 0


async def _refuse(
    stage: Stage,
    size: Refusing,
    acks: Acks,
    on: Callable[[], Awaitable[object]],
    off: Callable[[], Awaitable[object]],
    *,
    readiness: int = 503,
) -> _RefusalResult:
    """Make Redis refuse writes for a while, and see how every process copes, whose readiness is to be as given."""
    seen = _RefusalResult()
    client = await stage.client(IMPATIENT)
    submitting = asyncio.create_task(acks.steadily(client, mixed, count=size.jobs, per_second=size.per_second))
    await asyncio.sleep(size.before)
    seen.began = time.monotonic()
    await on()
    seen.noticed = await until(lambda: _ready(stage, readiness), 10.0)
    await asyncio.sleep(size.refusing)
    seen.reads_refused = await _refused_reads(client, acks.ids()[:20])
    await submitting
    seen.commands_per_second = await _rate(stage, size.quiet)
    seen.unfolded = sum(check.seen != 0 for check in verdicts.folds(await stage.truth.jobs()))
    seen.ended = time.monotonic()
    await off()
    seen.recovered = await until(lambda: _ready(stage, 200), 30.0)
    await acks.steadily(client, lambda n: mixed(size.jobs + n), count=30, per_second=10.0)
    return seen


async def _refused_reads(client: Client, job_ids: list[str]) -> int:
    """How many of the reads of jobs and of their logs fail."""
    refused = 0
    for job_id in job_ids:
        for read in (client.jobs.get(job_id), client.jobs.list_events_page(_first_page(job_id))):
            try:
                await read
            except HeadgateError:
                refused += 1
    return refused


def _first_page(job_id: str) -> pb.ListJobEventsRequest:
    return pb.ListJobEventsRequest(name=f"jobs/{job_id}", start_revision=1)


async def _ready(stage: Stage, status: int) -> bool:
    found = await asyncio.gather(*(stage.readiness(one) for one in (*stage.servers, *stage.workers)))
    return all(one == status for one in found)


async def _rate(stage: Stage, seconds: float) -> float:
    """Commands a second that Redis is sent, while refusing."""
    before = (await stage.truth.redis.info("stats"))["total_commands_processed"]
    await asyncio.sleep(seconds)
    after = (await stage.truth.redis.info("stats"))["total_commands_processed"]
    return float((after - before) / seconds)


def _inside(acks: Acks, seen: _RefusalResult) -> list[Ack]:
    return [ack for ack in acks.all if seen.began + 0.5 < ack.began and ack.ended < seen.ended]


def _refused(ack: Ack, reason: str) -> bool:
    return (ack.code, ack.reason) == ("UNAVAILABLE", reason) and ack.retry_after is not None


async def redis_read_only(trial: Trial, size: Refusing | None = None) -> Report:
    """Turn Redis into a read-only replica without a primary, as a failover does, and back."""
    redis = _redis_of
    return await _refusing_writes(
        trial,
        size or Refusing(),
        lambda stage: redis(stage).replicaof("127.0.0.1", 1),
        lambda stage: redis(stage).replicaof("no", "one"),
    )


async def redis_misconf(trial: Trial, size: Refusing | None = None) -> Report:
    """Let Redis fail to save, so that it refuses writes with MISCONF, as on a full disk; then let it go on."""
    return await _refusing_writes(
        trial, size or Refusing(), _fail_to_save, lambda s: _redis_of(s).config_set("save", "")
    )


def _redis_of(stage: Stage) -> Any:
    return stage.truth.redis


async def _fail_to_save(stage: Stage) -> None:
    redis = _redis_of(stage)
    folder = Path((await redis.config_get("dir"))["dir"])
    (folder / "unwritable").mkdir(exist_ok=True)
    await redis.config_set("dbfilename", "unwritable")  # a directory, which no file can take the place of
    await redis.config_set("stop-writes-on-bgsave-error", "yes")
    await redis.config_set("save", "3600 1000000")
    await redis.bgsave()

    async def failed() -> bool:
        return bool((await redis.info("persistence"))["rdb_last_bgsave_status"] == "err")

    await until(failed, 10.0)


async def _refusing_writes(trial: Trial, size: Refusing, on: _Switch, off: _Switch) -> Report:
    acks = Acks()
    async with Stage(Plan(workers=2)) as stage:
        seen = await _refuse(stage, size, acks, lambda: on(stage), lambda: off(stage))
        trial.say(f"noticed after {seen.noticed:.1f} s, recovered after {seen.recovered:.1f} s")
        judged = await judge(stage, acks.ids(), seconds=90.0)
    inside = _inside(acks, seen)
    polite = [ack for ack in inside if _refused(ack, "STORE_UNAVAILABLE")]
    checks = [
        at_most("until no process calls itself ready, s", 5.0, seen.noticed),
        at_least("submits answered meanwhile", 10, len(inside)),
        none("of these, not UNAVAILABLE with RetryInfo", len(inside) - len(polite)),
        none("reads refused meanwhile", seen.reads_refused),
        at_most("commands/s of 3 idle processes meanwhile", 60.0, seen.commands_per_second),
        at_most("writable to all ready, s", 5.0, seen.recovered),
        *judged.checks,
    ]
    return Report(_words(size), tuple(checks), judged.figures)


def _words(size: Refusing) -> str:
    return (
        f"{size.jobs} submits at {size.per_second:g}/s, each sent once; refusing for {size.refusing + size.quiet:g} s"
    )


async def redis_full(trial: Trial, size: Refusing | None = None) -> Report:
    """Reach maxmemory under noeviction, and be given room again."""
    size = size or Refusing()
    acks = Acks()
    async with Stage(Plan(workers=2)) as stage:
        redis = stage.truth.redis
        seen = await _refuse(
            stage,
            size,
            acks,
            lambda: redis.config_set("maxmemory", "1mb"),
            lambda: redis.config_set("maxmemory", "0"),
            readiness=200,  # what makes room goes through them
        )
        trial.say(f"noticed after {seen.noticed:.1f} s, recovered after {seen.recovered:.1f} s")
        judged = await judge(stage, acks.ids(), seconds=90.0)
        half = set(acks.ids(SubmitOutcome.REFUSED)) & set(await stage.truth.job_ids())
    inside = _inside(acks, seen)
    full = [ack for ack in inside if _refused(ack, "STORE_FULL")]
    checks = [
        at_most("until every process calls itself ready, s", 5.0, seen.noticed),
        at_least("submits answered meanwhile", 10, len(inside)),
        none("of these, not UNAVAILABLE STORE_FULL with RetryInfo", len(inside) - len(full)),
        none("half-written jobs while full", seen.unfolded),
        none("reads refused meanwhile", seen.reads_refused),
        at_most("commands/s of 3 idle processes meanwhile", 60.0, seen.commands_per_second),
        none("refused jobs that exist all the same", len(half)),
        at_most("room again to all ready, s", 5.0, seen.recovered),
        *judged.checks,
    ]
    return Report(_words(size), tuple(checks), judged.figures)


@dataclass(frozen=True, slots=True)
class Emptied:
    """Size of `redis-emptied`."""

    jobs: int = 150
    per_second: float = 30.0
    watchers: int = 150


async def redis_emptied(trial: Trial, size: Emptied | None = None) -> Report:
    """FLUSHALL while jobs run and are watched; then life goes on with new jobs."""
    size = size or Emptied()
    acks, later = Acks(), Acks()
    async with Stage(Plan(workers=2, run_seconds=60.0)) as stage:
        client = await stage.client()
        crowd = WatcherCrowd([client], at_a_time=size.watchers)
        await acks.steadily(
            client, mixed, count=size.jobs, per_second=size.per_second, then=lambda a: crowd.watch(a.job_id)
        )
        await stage.truth.redis.flushall()
        began = time.monotonic()
        told = await until(lambda: _all_told(crowd), 30.0)
        trial.say(f"every watcher was told after {told:.1f} s")
        stage.emulator.world.rules = replace(stage.emulator.world.rules, run_seconds=0.5)
        ghosts = await _still_found(client, acks.ids())
        await later.steadily(client, lambda n: light(10_001 + n), count=50, per_second=50)
        judged = await judge(stage, later.ids())
        woken = sum(process.said("Traceback") for process in (*stage.servers, *stage.workers))
        await crowd.finish(0.0)
    checks = [
        at_most("until every watcher was told, s", 10.0, told),
        none(
            "watchers told something else than JOB_UNKNOWN",
            sum(r.error != "NOT_FOUND JOB_UNKNOWN" for r in crowd.records),
        ),
        none("emptied jobs that GetJob still finds", ghosts),
        none("tracebacks in logs", woken),
        equal("later submits acknowledged", 50, len(later.ids())),
        *[check for check in judged.checks if "upstream" not in check.what],
    ]
    figures = {"judged after, s": time.monotonic() - began, **judged.figures}
    return Report(f"{size.jobs} running jobs, each watched; 50 submits afterwards", tuple(checks), figures)


async def _all_told(crowd: WatcherCrowd) -> bool:
    return all(record.error or record.ended for record in crowd.records)


async def _still_found(client: Client, job_ids: list[str]) -> int:
    found = 0
    for job_id in job_ids:
        try:
            await client.jobs.get(job_id)
            found += 1
        except HeadgateError as error:
            found += not error.is_not_found
    return found


async def evicting_policy(trial: Trial) -> Report:
    """Start server and worker on a Redis that has a memory limit and an evicting policy."""
    checks: list[Check] = []
    async with Stage(Plan(workers=0, servers=0)) as stage:
        await stage.truth.redis.config_set("maxmemory", "100mb")
        for policy in ("allkeys-lru", "volatile-lru", "volatile-ttl"):
            await stage.truth.redis.config_set("maxmemory-policy", policy)
            for module in ("headgate_server", "headgate_worker"):
                checks += await _refuses(stage, module, policy)
                trial.say(f"{module} refuses {policy}")
        left = await stage.truth.keys_like("*")
    return Report("2 processes, 3 policies", (*checks, none("keys written", len(left))), {})


async def _refuses(stage: Stage, module: str, policy: str) -> list[Check]:
    environment = stage.environment(HEADGATE_LISTEN="127.0.0.1:0")
    process = Process(ProcessLaunch(module, module, re.compile("ready"), environment))
    await process.spawn()
    try:
        async with asyncio.timeout(30):
            status = await process.wait()
    except TimeoutError:
        await process.kill()
        status = 0
    return [
        equal(f"exit status of {module} under {policy}", 1, status),
        equal(
            f"{module} names {policy} and noeviction", True, process.said(policy) > 0 and process.said("noeviction") > 0
        ),
    ]
