"""A long run with faults: instances that wait, a flow of watched jobs, and every so often one fault, all judged."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.chaos import verdicts
from bench.chaos.results import Check, Figure, Report, at_least, at_most, equal, none
from bench.chaos.stage import FEW_SLOTS, PATIENT, Plan, Stage, Trial
from bench.chaos.submits import Ack, Acks, SubmitOutcome, mixed
from bench.chaos.waiting import until
from bench.chaos.watches import WatcherCrowd
from bench.soak.archive import Archive
from bench.soak.faults import FAULTS, order
from bench.soak.samples import BOUNDS, Samples, forget_remembered, job_keys, store_figures
from bench.soak.standing import FOR_EVER, Standing
from bench.soak.tally import returned
from bench.soak.trend import Trend, check, trend
from redis.exceptions import RedisError

from headgate import pb
from headgate.store import keys
from headgate_client import Client

RETENTION_SECONDS = 60
"""How long a job is kept after its end; the least that a server allows."""

WEIGHT = "Redis memory but for feed and remembered keys, MB"

HOUR_MINUTES = 60.0
"""From so many minutes on the slope of a process's memory has a bound of its own."""


@dataclass(frozen=True, slots=True)
class Haul:
    """Size of a long run.

    Args:
        minutes: how long jobs are submitted and faults come.
        per_second: jobs submitted a second.
        standing: instances that wait for a parent all the time, at least.
        every: seconds between the beginnings of two faults.
        sample: seconds between two samples.
        watchers: jobs that are watched at a time.
        hurry: whether the time that ended jobs are kept is cut short at the end.
    """

    minutes: float
    per_second: float = 4.0
    standing: int = 20_000
    every: float = 60.0
    sample: float = 2.0
    watchers: int = 100
    hurry: bool = False

    @property
    def words(self) -> str:
        """The load for people."""
        flow = f"{self.per_second:g} jobs/s for {self.minutes:g} min, watched to their end"
        return f"{flow}; {self.standing:,} instances wait; a fault every {self.every:g} s"


@dataclass(slots=True)
class _Flow:
    """Jobs that come all the time."""

    stage: Stage
    clients: list[Client]
    archive: Archive
    crowd: WatcherCrowd
    acks: Acks = field(default_factory=Acks)
    repeated: int = 0

    async def run(self, size: Haul) -> None:
        """Submit for as long as the run lasts; then repeat submits without an answer, wait until all have ended."""
        count = round(size.per_second * size.minutes * 60)
        await self.acks.steadily(self.clients[0], mixed, count=count, per_second=size.per_second, then=self._watch)
        numbers = {job_id: int(job_id[1:]) for job_id in self.acks.ids(SubmitOutcome.UNKNOWN)}
        self.repeated = await self.acks.settle_unknown(self.clients[1], mixed, numbers)

    def _watch(self, ack: Ack) -> None:
        if ack.told is SubmitOutcome.ACKNOWLEDGED:
            self.crowd.watch(ack.job_id)
            self.archive.watching(self.crowd.records[-1])


async def haul(trial: Trial, size: Haul) -> Report:
    """Load, break and heal a deployment for a while; let everything end and be forgotten; say what was wrong."""
    done: Counter[str] = Counter()
    environment = {**FEW_SLOTS, "HEADGATE_JOB_TTL": str(RETENTION_SECONDS), "HEADGATE_POLL_MAX_SECONDS": "30"}
    async with Stage(Plan(workers=3, servers=2, proxied=True, environment=environment)) as stage:
        clients = [await stage.client(PATIENT, turn=turn) for turn in range(4)]
        before = (await store_figures(stage.truth.redis))[WEIGHT]
        standing = Standing(stage, size.standing)
        began = await standing.begin(clients[0])
        trial.say(f"{await standing.waiting():,} instances wait after {began:.0f} s")
        samples, archive = Samples(), Archive(stage)
        flow = _Flow(stage, clients, archive, WatcherCrowd(clients, at_a_time=size.watchers))
        async with _beside(archive, samples, stage, size):
            async with asyncio.TaskGroup() as group:
                group.create_task(flow.run(size))
                group.create_task(_break(trial, stage, size, done))
            left = await _settled(stage, standing)
        await flow.crowd.finish(30.0)
        still = await standing.waiting()
        asking = await _judge_the_rest(stage, archive, standing)
        await _let_go(stage, clients[0])
        if size.hurry:
            await _bring_forward(stage)
        gone = await until(lambda: _nothing_left(stage), RETENTION_SECONDS + 60.0, pause=1.0)
        keys_left = sum((await job_keys(stage.truth.redis)).values())
        endless = await forget_remembered(stage.truth.redis)
        await until(lambda: _is_small(stage, before), 15.0, pause=0.5)  # tables shrink little by little
        after = (await store_figures(stage.truth.redis))[WEIGHT]
        exits = stage.exits()
    trends = {name: trend(series) for name, series in samples.series.items() if len(series) > 1}
    checks = [
        equal("instances that waited from the first fault to the last", standing.wanted, still),
        none("submits that were not acknowledged", len(flow.acks.all) - len(flow.acks.ids()) - flow.repeated),
        none("jobs that did not end", len(left)),
        *archive.tally.checks(flow.acks.ids()),
        *asking,
        at_least("faults", 1, sum(done.values())),
        *_growth(trends, size),
        none("keys left of jobs and ticks after retention", keys_left),
        none("remembered keys without an end", endless),
        returned(before, after),
        exits,
    ]
    figures: dict[str, Figure] = {
        **{f"{name}, times": times for name, times in sorted(done.items())},
        "jobs": len(archive.tally.states),
        "jobs that asked a person": sum(
            state == pb.JOB_STATE_NEEDS_ATTENTION for state in archive.tally.states.values()
        ),
        "submits repeated": flow.repeated,
        "looks at a store that was away": samples.missed,
        "streams lost": sum(len(record.waits) for record in flow.crowd.records),
        "forgotten after the last end, s": round(gone, 1),
        "memory of Redis before, MB": round(before, 2),
        "memory of Redis after, MB": round(after, 2),
        **_told(trends),
    }
    return Report(size.words, tuple(checks), figures)


@asynccontextmanager
async def _beside(archive: Archive, samples: Samples, stage: Stage, size: Haul) -> AsyncIterator[None]:
    """Archive and sample while the block runs."""
    tasks = [asyncio.create_task(archive.run()), asyncio.create_task(_sample(samples, stage, size))]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()  # it broke: what it should have seen was not seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _sample(samples: Samples, stage: Stage, size: Haul) -> None:
    """Of the processes that are never ended, and of the store when it answers."""
    end = time.monotonic() + size.minutes * 60
    while time.monotonic() < end:
        try:
            await samples.take((stage.servers[0], stage.workers[0]), stage.truth)
        except RedisError:
            samples.missed += 1
        await asyncio.sleep(size.sample)


async def _break(trial: Trial, stage: Stage, size: Haul, done: Counter[str]) -> None:
    """One fault after the other, as the rng have it, until the time is over."""
    end = time.monotonic() + size.minutes * 60
    names: list[str] = []
    while (earliest := time.monotonic() + size.every) < end:
        names = names or order(trial.rng)
        name = names.pop()
        await asyncio.sleep(size.every / 4)
        trial.say(f"{(end - time.monotonic()) / 60:.1f} min to go: {name}")
        await FAULTS[name](stage, trial.rng)
        stage.emulator.faults.clear()
        stage.emulator.faults.add([FOR_EVER])
        done[name] += 1
        await asyncio.sleep(max(0.0, earliest - time.monotonic()))


async def _settled(stage: Stage, standing: Standing) -> set[str]:
    """The jobs that still have not ended after a while, and wait for no person; the standing ones left out."""

    async def open_jobs() -> set[str]:
        due = {raw.decode() for raw in await stage.truth.redis.zrange(keys.DUE, 0, -1)} - set(standing.ids)
        states = await stage.truth.states(due)
        return {job_id for job_id, state in states.items() if state != pb.JOB_STATE_NEEDS_ATTENTION}

    async def none_open() -> bool:
        return not await open_jobs()

    await until(none_open, 90.0, pause=0.5)
    return await open_jobs()


async def _judge_the_rest(stage: Stage, archive: Archive, standing: Standing) -> list[Check]:
    """Judge what ended last, what asks a person, and whether the standing jobs are what their logs say."""
    await archive.look(last=True)
    jobs = await stage.truth.jobs()
    for job in jobs.values():
        if job.state == pb.JOB_STATE_NEEDS_ATTENTION:
            archive.judge(job)
    folds = verdicts.folds({job_id: jobs[job_id] for job_id in standing.ids if job_id in jobs})
    return [
        *(Check(f"standing {one.what}", one.wanted, one.seen, one.held) for one in folds),
        *await verdicts.indexes(stage.truth, jobs),
    ]


async def _let_go(stage: Stage, client: Client) -> None:
    """Let go of every job that is still open, so that its time in the store ends as well."""
    for raw in await stage.truth.redis.zrange(keys.DUE, 0, -1):
        await client.jobs.cancel(raw.decode(), mode=pb.CANCEL_MODE_DETACH, reason="the run is over")


async def _is_small(stage: Stage, before: float) -> bool:
    return returned(before, (await store_figures(stage.truth.redis))[WEIGHT]).held


async def _bring_forward(stage: Stage) -> None:
    """Let the time in the store of every job that has ended be over now; all of them have to end first."""

    async def all_ended() -> bool:
        return not await stage.truth.redis.zcard(keys.DUE)

    await until(all_ended, 30.0)
    for raw in await stage.truth.redis.zrange(keys.EXPIRING, 0, -1):
        await stage.truth.redis.zadd(keys.EXPIRING, {raw: 1}, xx=True)


async def _nothing_left(stage: Stage) -> bool:
    return not await job_keys(stage.truth.redis)


def _growth(trends: dict[tuple[str, str], Trend], size: Haul) -> list[Check]:
    found = [check(_called(*name), one, BOUNDS[name[1]]) for name, one in trends.items() if name[1] in BOUNDS]
    if size.minutes < HOUR_MINUTES:
        return found
    slopes = {who: one.per_hour for (who, kind), one in trends.items() if kind == "RSS, MB"}
    return [*found, *(at_most(f"{who}: slope of RSS, MB an hour", 1.0, slope) for who, slope in slopes.items())]


def _called(who: str, kind: str) -> str:
    return f"{who}: {kind}" if who else kind


def _told(trends: dict[tuple[str, str], Trend]) -> dict[str, Figure]:
    return {
        _called(*name): f"{found.first:.1f} -> {found.last:.1f}, peak {found.peak:.1f}, {found.per_hour:+.1f} an hour"
        for name, found in trends.items()
    }
