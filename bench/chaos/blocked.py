"""A worker whose loop is blocked for several leases: its work goes on elsewhere, and its late commits are refused."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.process import Process
from bench.chaos.recovery import Recovery
from bench.chaos.results import Report, at_least, at_most, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.waiting import NEVER, until
from bench.chaos.worker_faults import FaultLoad, under_load

from headgate_emulator.faults import Latency


@dataclass(frozen=True, slots=True)
class Block:
    """Size of `blocked-loop`. Times in seconds."""

    load: FaultLoad = field(default=FaultLoad(200, 10.0, watchers=80))
    lease: float = 2.0
    blocked: float = 10.0
    times: int = 2
    call_millis: int = 150


@dataclass(slots=True)
class _BlockedWorker:
    """What was seen of the blocked worker.

    Args:
        ticks: that stood still with it.
        silent: seconds from each block to the first silence of its ops port.
        well_again: seconds from the end of each block to its first answer.
    """

    ticks: int = 0
    silent: list[float] = field(default_factory=list)
    well_again: list[float] = field(default_factory=list)


async def blocked_loop(trial: Trial, size: Block | None = None) -> Report:
    """Block the event loop of one of two workers while it holds jobs, for five leases, twice."""
    size = size or Block()
    seen = _BlockedWorker()
    async with Stage(Plan(workers=1, environment={"HEADGATE_LEASE_SECONDS": str(size.lease)})) as stage:
        victim = await stage.add_worker("bench.chaos.blockable", str(size.blocked))
        stage.emulator.faults.add([Latency(action="*", millis=size.call_millis, count=1_000_000)])
        async with Recovery(stage.truth) as recovery, under_load(stage, size.load) as running:
            for number in range(size.times):
                await asyncio.sleep(2.0)
                await _block_busy(stage, victim, recovery, seen, size.blocked)
                trial.say(f"block {number + 1} is over; {seen.ticks} ticks stood still so far")
        stage.emulator.faults.clear()
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
        refused = victim.said("was taken over")
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_least("ticks that stood still", size.times, seen.ticks),
        at_least("late ticks that were shut out", 1, refused),
        at_most("still tick to next commit elsewhere, longest, s", size.blocked, max(recovery.seconds, default=NEVER)),
        none("still ticks that nobody took up", recovery.never),
        at_most("block to silence of /healthz, longest, s", 3.0, max(seen.silent)),
        at_most("end of the block to the next answer, longest, s", 3.0, max(seen.well_again)),
    ]
    figures = {"blocks": size.times, "lease, s": size.lease, "blocked, s": size.blocked, **judged.figures}
    return Report(size.load.words, (*checks, *judged.checks), figures)


async def _block_busy(stage: Stage, victim: Process, recovery: Recovery, seen: _BlockedWorker, seconds: float) -> None:
    """Block a worker while it holds jobs, see its ops port fall silent, and wait until it is well again."""
    await until(lambda: _holds(stage, victim), 10.0, pause=0.02)
    began = time.monotonic()
    victim.block()
    seen.ticks += await recovery.killed(victim.pid)  # as good as dead, as far as its leases go
    seen.silent.append(await until(lambda: _silent(stage, victim), seconds))
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    seen.well_again.append(await until(lambda: _answers(stage, victim), 30.0))


async def _holds(stage: Stage, victim: Process) -> bool:
    return bool(await stage.truth.held_by(victim.pid))


async def _silent(stage: Stage, victim: Process) -> bool:
    return not await _answers(stage, victim)


async def _answers(stage: Stage, victim: Process) -> bool:
    return await stage.probe(victim, "healthz", seconds=1.0) == 200
