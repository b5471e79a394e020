"""More work than workers, and jobs whose queue entries are lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.recovery import Recovery
from bench.chaos.results import Report, at_least, at_most, none, quantile
from bench.chaos.stage import FEW_SLOTS, Plan, Stage, Trial
from bench.chaos.truth import SETTLED
from bench.chaos.waiting import until
from bench.chaos.worker_faults import FaultLoad, under_load

from headgate.store import keys
from headgate_emulator.faults import Latency


@dataclass(frozen=True, slots=True)
class TickFlood:
    """Size of `tick-flood`."""

    load: FaultLoad = field(default=FaultLoad(800, 80.0, watchers=50))
    call_millis: int = 150
    kill_after: float = 8.0
    longest: float = 240.0


@dataclass(slots=True)
class Depth:
    """How deep the queue of ticks got. Shares are of queued entries to unfinished jobs."""

    entries: int = 0
    share: float = 0.0
    behind: float = 0.0

    async def watch(self, stage: Stage) -> None:
        """Look again and again, until cancelled."""
        redis = stage.truth.redis
        while True:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.zcard(keys.TICKS).zcard(keys.DUE).zrange(keys.TICKS, 0, 0, withscores=True)
                queued, unfinished, head = await pipe.execute()
            now_ms = await stage.truth.now_ms()
            self.entries = max(self.entries, queued)
            self.share = max(self.share, queued / unfinished if unfinished >= 50 else 0.0)
            self.behind = max(self.behind, (now_ms - head[0][1]) / 1000 if head else 0.0)
            await asyncio.sleep(0.25)


async def tick_flood(trial: Trial, size: TickFlood | None = None) -> Report:
    """Submit far faster than two small workers can work, and kill one of them in the middle of it."""
    size = size or TickFlood()
    depth = Depth()
    async with Stage(Plan(workers=2, environment=FEW_SLOTS)) as stage:
        stage.emulator.faults.add([Latency(action="*", millis=size.call_millis, count=1_000_000)])
        looking = asyncio.create_task(depth.watch(stage))
        async with Recovery(stage.truth) as recovery, under_load(stage, size.load) as running:
            await asyncio.sleep(size.kill_after)
            victim = stage.workers[0]
            await stage.kill_worker(victim)
            killed = await recovery.killed(victim.pid)
            await stage.add_worker()
            trial.say(f"{killed} ticks were killed, the queue is {depth.behind:.1f} s behind")
        judged = await judge(stage, running.acks.ids(), running.crowd.records, seconds=size.longest)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_least("longest delay of the head of the queue, s", 1.0, depth.behind),
        at_most("queued ticks for each unfinished job, most", 1.1, depth.share),
        at_most("killed tick to next commit, longest, s", 10.0, max(recovery.seconds, default=0.0)),
        none("killed ticks that nobody took up", recovery.never),
    ]
    figures = {"ticks killed": killed, "most queued ticks": depth.entries, **judged.figures}
    return Report(size.load.words, (*checks, *judged.checks), figures)


@dataclass(frozen=True, slots=True)
class Losses:
    """Size of `lost-entries`."""

    load: FaultLoad = field(default=FaultLoad(450, 15.0, watchers=100))
    pause: float = 8.0


async def lost_entries(trial: Trial, size: Losses | None = None) -> Report:
    """Delete every definition of a tick, and later the whole queue with its kicks, under running jobs."""
    size = size or Losses()
    waits: list[float] = []
    async with Stage(Plan(workers=2)) as stage:
        async with under_load(stage, size.load) as running:
            for lose in (_definitions, _queue):
                await asyncio.sleep(size.pause)
                standing = await _standing(stage)
                await lose(stage)
                waits.append(await until(lambda standing=standing: _all_moved(stage, standing), 30.0))  # type: ignore[misc]
                trial.say(f"{len(standing)} jobs lost their entries; all went on after {waits[-1]:.1f} s")
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_most("definitions lost to a look at every job, s", 8.0, waits[0]),
        at_most("queue lost to a look at every job, s", 8.0, waits[1]),
    ]
    return Report(size.load.words, (*checks, *judged.checks), {**judged.figures})


async def _definitions(stage: Stage) -> None:
    names = await stage.truth.keys_like("arq:job:tick:*")
    if names:
        await stage.truth.redis.delete(*names)


async def _queue(stage: Stage) -> None:
    await stage.truth.redis.delete(keys.TICKS, keys.kick(keys.TICKS))


async def _standing(stage: Stage) -> dict[str, int]:
    """Unfinished jobs, with the fence that each has."""
    return {job_id: fence for job_id, (fence, settled) in (await _fences(stage)).items() if not settled}


async def _fences(stage: Stage) -> dict[str, tuple[int, bool]]:
    ids = await stage.truth.job_ids()
    async with stage.truth.redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hmget(keys.job(job_id), "fence", "st")
        rows = await pipe.execute()
    return {job_id: (int(row[0] or 0), int(row[1] or 0) in SETTLED) for job_id, row in zip(ids, rows, strict=True)}


async def _all_moved(stage: Stage, standing: dict[str, int]) -> bool:
    now = await _fences(stage)
    return all(settled or fence > standing[job_id] for job_id, (fence, settled) in now.items() if job_id in standing)


@dataclass(frozen=True, slots=True)
class SlowRedis:
    """Size of `slow-redis`."""

    load: FaultLoad = field(default=FaultLoad(150, 5.0, watchers=50))
    latency: float = 0.025


async def slow_redis(trial: Trial, size: SlowRedis | None = None) -> Report:
    """Hold back everything between our processes and Redis for 25 ms each way."""
    size = size or SlowRedis()
    async with Stage(Plan(workers=2, proxied=True)) as stage:
        stage.proxy.latency = size.latency
        async with under_load(stage, size.load) as running:
            trial.say(f"every packet takes {1000 * size.latency:g} ms")
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
        taken_over = sum(worker.said("was taken over") for worker in stage.workers)
        away = sum(process.said("is away") for process in (*stage.workers, *stage.servers))
        stage.proxy.latency = 0.0
    seconds = [ack.seconds for ack in running.acks.all]
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        none("leases that were lost", taken_over),
        none("times that a process took Redis for away", away),
        at_most("submit p99, s", 1.0, quantile(seconds, 0.99)),
    ]
    figures = {"submit p50, ms": 1000 * quantile(seconds, 0.5), **judged.figures}
    return Report(size.load.words, (*checks, *judged.checks), figures)
