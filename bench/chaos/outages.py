"""Redis that goes away and comes back: killed, frozen."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.chaos import verdicts
from bench.chaos.judging import judge
from bench.chaos.results import Check, Figure, Report, at_least, at_most, none, quantile
from bench.chaos.stage import IMPATIENT, Plan, Stage, Trial
from bench.chaos.submits import Ack, Acks, SubmitOutcome, light
from bench.chaos.watches import WatcherCrowd

from headgate import pb
from headgate_client import Client


@dataclass(frozen=True, slots=True)
class Outage:
    """When Redis was away: from `began` to `away_until` surely, and back at the latest at `back`.

    Events are compared by the wall's clock, submits by the loop's.
    """

    began: float
    away_until: float
    back: float
    back_ms: int


@dataclass(frozen=True, slots=True)
class Restarts:
    """Size of `redis-restart`."""

    fsync: str = "everysec"
    per_second: float = 50.0
    seconds: float = 60.0
    every: float = 10.0
    down: float = 2.5
    watchers: int = 50


async def redis_restart(trial: Trial, size: Restarts | None = None) -> Report:
    """Kill Redis with SIGKILL, leave it away for a while and start it again, under a steady stream of submits."""
    size = size or Restarts()
    plan = Plan(workers=2, fsync=size.fsync)
    async with Stage(plan) as stage:
        load = _SteadyLoad(stage, size.per_second, size.seconds, size.watchers)
        outages: list[Outage] = []
        async with load:
            until = time.monotonic() + size.seconds - size.every
            while time.monotonic() < until:
                await asyncio.sleep(size.every - size.down)
                outages.append(await _restart(stage, size.down))
                trial.say(f"restart {len(outages)}; {len(load.acks.all)} submits answered")
        judged = await load.judge()
        stored = await stage.truth.jobs()
    recovered = [_first_ok(load.acks.all, outage) for outage in outages]
    worked = [_first_commit(stored, outage) for outage in outages]
    checks = [
        *_while_away(load.acks.all, outages),
        at_most("Redis back to first acknowledged submit, longest, s", 2.0, max(recovered)),
        at_most("Redis back to first commit of a worker, longest, s", 2.0, max(worked)),
        none("repeated unknown submits not acknowledged", load.still_unknown),
        *judged.checks,
    ]
    figures = {"restarts": len(outages), "fsync": size.fsync, **load.figures(), **judged.figures}
    return Report(load.words, tuple(checks), figures)


async def redis_restart_always(trial: Trial) -> Report:
    """The same with every write on disk before it is answered."""
    return await redis_restart(trial, Restarts(fsync="always"))


async def _restart(stage: Stage, down: float) -> Outage:
    await stage.redis.kill()
    began = time.monotonic()
    await asyncio.sleep(down)
    away_until = time.monotonic()
    await stage.redis.start()
    return Outage(began, away_until, time.monotonic(), time.time_ns() // 1_000_000)


class _SteadyLoad:
    """Submits at a rate, each sent once, as an async context manager; unknown ones are repeated at the end."""

    def __init__(self, stage: Stage, per_second: float, seconds: float, watchers: int) -> None:
        self.acks = Acks()
        self.unknown = 0
        self.still_unknown = 0
        self._stage = stage
        self._rate = per_second
        self._count = int(per_second * seconds)
        self._watchers = watchers
        self._crowd: WatcherCrowd
        self._patient: Client
        self._task: asyncio.Task[None]

    @property
    def words(self) -> str:
        """The load for people."""
        return f"{self._count} submits at {self._rate:g}/s (ad hoc until accepted, each tenth a backfill of 2 dates)"

    async def __aenter__(self) -> None:
        hasty = await self._stage.client(IMPATIENT)
        self._patient = await self._stage.client()
        self._crowd = WatcherCrowd([self._patient], at_a_time=self._watchers)
        submitting = self.acks.steadily(hasty, light, count=self._count, per_second=self._rate, then=self._watch)
        self._task = asyncio.create_task(submitting)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._task.cancel()
            await self._crowd.finish(0.0)
            return
        await self._task
        before = self.acks.ids(SubmitOutcome.UNKNOWN)
        numbers = {job_id: int(job_id[1:]) for job_id in before}
        self.unknown = await self.acks.settle_unknown(self._patient, light, numbers)
        self.still_unknown = len(set(before) - set(self.acks.ids()))

    def _watch(self, ack: Ack) -> None:
        if ack.told is SubmitOutcome.ACKNOWLEDGED and int(ack.job_id[1:]) % 10 == 0:
            self._crowd.watch(ack.job_id)

    async def judge(self) -> _Judged:
        """Wait for all jobs, then run the checkers."""
        await self._stage.truth.settle(self.acks.ids(), 90.0)
        await self._crowd.finish(20.0)
        found = await judge(self._stage, self.acks.ids(), self._crowd.records)
        return _Judged(found.checks, found.figures)

    def figures(self) -> dict[str, Figure]:
        """The answers that callers had."""
        answered = [ack for ack in self.acks.all if ack.told is SubmitOutcome.ACKNOWLEDGED]
        return {
            "submits answered": len(self.acks.all),
            "unknown at first": self.unknown,
            "submit p50, ms": 1000 * quantile([ack.seconds for ack in answered], 0.5),
            "submit p99, ms": 1000 * quantile([ack.seconds for ack in answered], 0.99),
            "longest answer, s": max(ack.seconds for ack in self.acks.all),
        }


@dataclass(frozen=True, slots=True)
class _Judged:
    checks: list[Check]
    figures: dict[str, Figure]


def _while_away(acks: list[Ack], outages: list[Outage]) -> list[Check]:
    """The answers to submits that lay wholly inside an outage."""
    inside = [a for a in acks if any(o.began <= a.began and a.ended <= o.away_until for o in outages)]
    failed = [ack for ack in acks if ack.told is not SubmitOutcome.ACKNOWLEDGED]
    return [
        at_least("submits sent and answered while Redis was away", len(outages), len(inside)),
        none("of these, answered OK", sum(ack.told is SubmitOutcome.ACKNOWLEDGED for ack in inside)),
        none("failed submits that are not UNAVAILABLE with RetryInfo", sum(not _polite(ack) for ack in failed)),
    ]


def _polite(ack: Ack) -> bool:
    return ack.code == "UNAVAILABLE" and ack.reason == "STORE_UNAVAILABLE" and ack.retry_after is not None


def _first_ok(acks: list[Ack], outage: Outage) -> float:
    ends = [ack.ended for ack in acks if ack.told is SubmitOutcome.ACKNOWLEDGED and ack.ended >= outage.back]
    return min(ends, default=float("inf")) - outage.back


def _first_commit(stored: verdicts.Jobs, outage: Outage) -> float:
    """Seconds until the first event of a worker, by the event times."""
    times = [
        event.event_time.ToMilliseconds()
        for job in stored.values()
        for event in map(pb.JobEvent.FromString, job.events)
        if event.actor == "worker"
    ]
    return (min((at for at in times if at >= outage.back_ms), default=2**60) - outage.back_ms) / 1000


@dataclass(frozen=True, slots=True)
class Freeze:
    """Size of `redis-frozen`, of `redis-blackhole` and of `redis-mute`."""

    per_second: float = 20.0
    before: float = 5.0
    frozen: float = 30.0
    after: float = 10.0


async def redis_frozen(trial: Trial, size: Freeze | None = None) -> Report:
    """SIGSTOP Redis for half a minute under submits and watches: nothing answers, no connection breaks."""

    def hush(stage: Stage, silent: bool) -> None:
        os.kill(stage.redis.pid, signal.SIGSTOP if silent else signal.SIGCONT)

    return await _silence(trial, size or Freeze(), Plan(workers=2), hush)


async def redis_blackhole(trial: Trial, size: Freeze | None = None) -> Report:
    """Swallow every byte between our processes and Redis for half a minute; connections stay open."""

    def hush(stage: Stage, silent: bool) -> None:
        stage.proxy.blackhole = silent

    return await _silence(trial, size or Freeze(), Plan(workers=2, proxied=True), hush)


async def redis_mute(trial: Trial, size: Freeze | None = None) -> Report:
    """Hold back all replies of Redis, while it receives and executes all commands."""

    def hush(stage: Stage, silent: bool) -> None:
        stage.proxy.mute = silent

    return await _silence(trial, size or Freeze(frozen=15.0), Plan(workers=2, proxied=True), hush)


async def _silence(trial: Trial, size: Freeze, plan: Plan, hush: Callable[[Stage, bool], None]) -> Report:
    async with Stage(plan) as stage:
        load = _SteadyLoad(stage, size.per_second, size.before + size.frozen + size.after, 50)
        async with load:
            await asyncio.sleep(size.before)
            hush(stage, True)
            began = time.monotonic()
            try:
                await asyncio.sleep(size.frozen)
                readiness = [await stage.readiness(one) for one in (*stage.servers, *stage.workers)]
            finally:
                away_until = time.monotonic()
                hush(stage, False)
            outage = Outage(began, away_until, away_until, time.time_ns() // 1_000_000)
            trial.say("Redis goes on")
        judged = await load.judge()
        stored = await stage.truth.jobs()
    checks = [
        *_while_away(load.acks.all, [outage]),
        at_most("longest answer to a submit, s", 10.5, max(ack.seconds for ack in load.acks.all)),
        none("processes that called themselves ready meanwhile", readiness.count(200)),
        at_most("Redis back to first acknowledged submit, s", 5.0, _first_ok(load.acks.all, outage)),
        at_most("Redis back to first commit of a worker, s", 10.0, _first_commit(stored, outage)),
        none("repeated unknown submits not acknowledged", load.still_unknown),
        *judged.checks,
    ]
    return Report(load.words, tuple(checks), {**load.figures(), **judged.figures})
