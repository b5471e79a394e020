"""Faults of workers: killed one by one, killed all at once, restarted in turn, paused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.process import Process
from bench.chaos.recovery import Recovery
from bench.chaos.results import Report, at_least, at_most, none, quantile
from bench.chaos.stage import FEW_SLOTS, Plan, Stage, Trial
from bench.chaos.submits import Ack, Acks, SubmitOutcome, mixed
from bench.chaos.waiting import until, until_true
from bench.chaos.watches import WatcherCrowd

from headgate.store import keys
from headgate_client import Client
from headgate_emulator.faults import Latency


@dataclass(frozen=True, slots=True)
class FaultLoad:
    """Jobs that are submitted while the fault is on.

    Args:
        jobs: how many.
        per_second: how fast.
        watchers: how many of them are watched at a time; 0 for none.
    """

    jobs: int
    per_second: float
    watchers: int = 0

    @property
    def words(self) -> str:
        """The load for people."""
        watched = f", {self.watchers} watchers at a time" if self.watchers else ""
        return f"{self.jobs} jobs (backfills of 1 and 2 dates, ad hoc) at {self.per_second:g}/s{watched}"


@dataclass(slots=True)
class Running:
    """The load while it runs."""

    acks: Acks
    crowd: WatcherCrowd


@asynccontextmanager
async def under_load(stage: Stage, load: FaultLoad) -> AsyncIterator[Running]:
    """Submit and watch while the block runs; afterwards all submits are answered and all watchers got the end."""
    clients = [await stage.client() for _ in range(4)]
    running = Running(Acks(), WatcherCrowd(clients, at_a_time=max(1, load.watchers)))

    def watch(ack: Ack) -> None:
        if load.watchers and ack.told is SubmitOutcome.ACKNOWLEDGED:
            running.crowd.watch(ack.job_id)

    submitting = asyncio.create_task(_submit(running, clients[0], load, watch))
    try:
        yield running
        await submitting
        await stage.truth.settle(running.acks.ids(), 90.0)
        await running.crowd.finish(20.0)
    finally:
        submitting.cancel()
        await running.crowd.finish(0.0)


async def _submit(running: Running, client: Client, load: FaultLoad, then: Callable[[Ack], None]) -> None:
    await running.acks.steadily(client, mixed, count=load.jobs, per_second=load.per_second, then=then)


@dataclass(frozen=True, slots=True)
class Kills:
    """Size of `worker-kills`."""

    load: FaultLoad = field(default=FaultLoad(1_000, 14.0, watchers=200))
    kills: int = 30
    every: float = 2.0
    call_millis: int = 150
    plan: Plan = field(default=Plan(environment=FEW_SLOTS))


async def worker_kills(trial: Trial, size: Kills | None = None) -> Report:
    """Kill and replace a random worker, again and again, each time with a full complement of ready ones."""
    size = size or Kills()
    async with Stage(size.plan) as stage:
        if size.call_millis:  # as upstream takes; otherwise hardly any tick is under way when a worker is killed
            stage.emulator.faults.add([Latency(action="*", millis=size.call_millis, count=1_000_000)])
        async with Recovery(stage.truth) as recovery, under_load(stage, size.load) as running:
            began = time.monotonic()
            toll = await _kill_in_turn(trial, stage, size, recovery)
            seconds = time.monotonic() - began
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_most("killed tick to next commit, p99, s", 10.0, quantile(recovery.seconds, 0.99)),
        none("killed ticks that nobody took up", recovery.never),
    ]
    figures = {
        "kills": size.kills,
        "seconds between kills": seconds / size.kills,
        "start of a worker p50, s": quantile(toll.starts, 0.5),
        "ticks killed": toll.ticks,
        "recovery p50, s": quantile(recovery.seconds, 0.5),
        "recovery p90, s": quantile(recovery.seconds, 0.9),
        "recovery longest, s": max(recovery.seconds, default=0.0),
        "ticks whose next one was killed as well": len(recovery.seconds) - len(recovery.once),
        "recovery of the others p99, s": quantile(recovery.once, 0.99),
        "watch events": sum(len(record.revisions) for record in running.crowd.records),
        **judged.figures,
    }
    return Report(size.load.words, (*checks, *judged.checks), figures)


async def _kill_in_turn(trial: Trial, stage: Stage, size: Kills, recovery: Recovery) -> _Toll:
    toll = _Toll()
    async with asyncio.TaskGroup() as replacing:
        for number in range(size.kills):
            earliest = time.monotonic() + size.every
            # On a small machine a start takes longer than the pause; without this there would soon be no worker at all.
            await until_true(lambda: len(stage.workers) >= size.plan.workers, 60.0)
            await asyncio.sleep(max(0.0, earliest - time.monotonic()))
            victim = trial.rng.choice(stage.workers)
            await stage.kill_worker(victim)
            toll.ticks += await recovery.killed(victim.pid)
            replacing.create_task(_replace(stage, toll))
            trial.say(f"kill {number + 1}: {victim.name}, {toll.ticks} ticks killed so far")
    return toll


async def _replace(stage: Stage, toll: _Toll) -> None:
    began = time.monotonic()
    await stage.add_worker()
    toll.starts.append(time.monotonic() - began)


@dataclass(slots=True)
class _Toll:
    """What the kills came to: ticks that were killed, and how long replacements took to start."""

    ticks: int = 0
    starts: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Blackout:
    """Size of `all-workers-killed`."""

    load: FaultLoad = field(default=FaultLoad(400, 20.0, watchers=100))
    workers: int = 3
    before: float = 6.0
    dark: float = 20.0


async def all_workers_killed(trial: Trial, size: Blackout | None = None) -> Report:
    """Kill every worker at once, leave the deployment without any for a while, start new ones."""
    size = size or Blackout()
    async with Stage(Plan(workers=size.workers)) as stage:
        async with under_load(stage, size.load) as running:
            await asyncio.sleep(size.before)
            for worker in list(stage.workers):
                await stage.kill_worker(worker)
            trial.say("every worker is dead")
            await asyncio.sleep(size.dark)
            dark = await stage.truth.redis.xrevrange(keys.FEED, count=1)
            await asyncio.gather(*(stage.add_worker() for _ in range(size.workers)))
            resumed = await _first_worker_commit(stage, dark[0][0] if dark else b"0")
            trial.say(f"new workers took up after {resumed:.2f} s")
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_most("start of workers to first commit, s", 10.0, resumed),
    ]
    return Report(size.load.words, (*checks, *judged.checks), judged.figures)


async def _first_worker_commit(stage: Stage, after: bytes) -> float:
    """Seconds until the feed has an event of a later revision than 1, which only workers write."""

    async def committed() -> bool:
        entries = await stage.truth.redis.xrange(keys.FEED, b"(" + after, count=2_000)
        return any(int(entry[b"r"]) > 1 for _, entry in entries)

    return await until(committed, 30.0, pause=0.02)


@dataclass(frozen=True, slots=True)
class Rolling:
    """Size of `rolling-restart`."""

    load: FaultLoad = field(default=FaultLoad(700, 12.0, watchers=100))
    workers: int = 4
    rounds: int = 5


async def rolling_restart(trial: Trial, size: Rolling | None = None) -> Report:
    """SIGTERM one worker after the other and replace it, round by round."""
    size = size or Rolling()
    statuses: list[int] = []
    seconds: list[float] = []
    left = attempts = 0
    async with Stage(Plan(workers=size.workers)) as stage:
        async with under_load(stage, size.load) as running:
            for _ in range(size.workers * size.rounds):
                oldest = stage.workers.pop(0)
                began = time.monotonic()
                statuses.append(await oldest.stop(grace=30.0))
                seconds.append(time.monotonic() - began)
                left += len(await stage.truth.held_by(oldest.pid))
                attempts = max(attempts, await _most_attempts(stage))
                await stage.add_worker()
                trial.say(f"{len(statuses)} workers restarted")
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
        stored = await stage.truth.jobs()
    checks = [
        none("exits other than 0", sum(status != 0 for status in statuses)),
        at_most("longest shutdown, s", 15.0, max(seconds)),
        none("in-progress keys left by a stopped worker", left),
        at_most("most attempts counted on a job", 1, attempts),
        none("attempts left on ended jobs", sum(job.attempts for job in stored.values())),
    ]
    figures = {"restarts": len(statuses), "shutdown p50, s": quantile(seconds, 0.5), **judged.figures}
    return Report(size.load.words, (*checks, *judged.checks), figures)


async def _most_attempts(stage: Stage) -> int:
    ids = [raw.decode() for raw in await stage.truth.redis.zrange(keys.DUE, 0, -1)]
    async with stage.truth.redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hget(keys.job(job_id), "att")
        return max((int(value or 0) for value in await pipe.execute()), default=0)


@dataclass(frozen=True, slots=True)
class Pause:
    """Size of `paused-worker`."""

    load: FaultLoad = field(default=FaultLoad(200, 15.0, watchers=100))
    lease_seconds: float = 2.0
    times: int = 3


async def paused_worker(trial: Trial, size: Pause | None = None) -> Report:
    """SIGSTOP a worker in the middle of its calls for three leases, then let it go on."""
    size = size or Pause()
    frozen = 0
    lease = {"HEADGATE_LEASE_SECONDS": str(size.lease_seconds)}
    async with Stage(Plan(workers=2, environment=lease)) as stage:
        stage.emulator.faults.add([Latency(action="*", millis=150, count=1_000_000)])
        victim = stage.workers[0]
        async with under_load(stage, size.load) as running:
            for number in range(size.times):
                await asyncio.sleep(2.0)
                frozen += await _freeze_busy(stage, victim, size.lease_seconds * 3)
                trial.say(f"pause {number + 1} is over; {frozen} ticks were frozen so far")
        stage.emulator.faults.clear()
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
        refused = victim.said("was taken over")
    checks = [at_least("ticks frozen", size.times, frozen), at_least("late ticks that were shut out", 1, refused)]
    figures = {"pauses": size.times, "lease, s": size.lease_seconds, **judged.figures}
    return Report(size.load.words, (*checks, *judged.checks), figures)


async def _freeze_busy(stage: Stage, victim: Process, seconds: float) -> int:
    """Stop a worker while it holds jobs; how many."""
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        victim.pause()
        held = len(await stage.truth.held_by(victim.pid))
        if held:
            await asyncio.sleep(seconds)
            victim.go_on()
            return held
        victim.go_on()
        await asyncio.sleep(0.05)
    return 0
