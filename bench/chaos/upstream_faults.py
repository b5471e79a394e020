"""An upstream that loses replies, fails and throttles, while workers are killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.results import Report, at_least, at_most, none
from bench.chaos.stage import FEW_SLOTS, Plan, Stage, Trial
from bench.chaos.worker_faults import FaultLoad, under_load

from headgate import pb
from headgate_emulator.faults import CallFault, ErrorReply, LostReply, LostRequest, MalformedReply

MakeFault = Callable[[random.Random], CallFault]

WRITES = ("CreateWorkflowInstances", "ExecuteAdhocWorkflowInstance", "StartWorkflowInstances")
REPEATABLE = ("Get*", "List*", "Start*")


@asynccontextmanager
async def spoiling(stage: Stage, rng: random.Random, make: MakeFault, per_second: float) -> AsyncIterator[list[int]]:
    """Switch faults on at a rate while the block runs; the list has how many."""
    done = [0]

    async def spoil() -> None:
        while True:
            stage.emulator.faults.add([make(rng)])
            done[0] += 1
            await asyncio.sleep(1 / per_second)

    task = asyncio.create_task(spoil())
    try:
        yield done
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stage.emulator.faults.clear()


def lost_write(rng: random.Random) -> CallFault:
    """A write that is done and whose reply is lost."""
    return LostReply(action=rng.choice(WRITES))


@dataclass(frozen=True, slots=True)
class LostWrites:
    """Size of `lost-upstream-replies`."""

    load: FaultLoad = field(default=FaultLoad(600, 12.0, watchers=100))
    per_second: float = 2.0
    kills: int = 6
    every: float = 6.0
    asking: float = 0.02


async def lost_upstream_replies(trial: Trial, size: LostWrites | None = None) -> Report:
    """Let creates, executions and starts be done and lose their replies, with kills of workers in between."""
    size = size or LostWrites()
    async with Stage(Plan(workers=2, environment=FEW_SLOTS)) as stage:
        async with (
            under_load(stage, size.load) as running,
            spoiling(stage, trial.rng, lost_write, size.per_second) as done,
        ):
            for number in range(size.kills):
                await asyncio.sleep(size.every)
                await stage.kill_worker(stage.workers[0])
                await stage.add_worker()
                trial.say(f"kill {number + 1}, {done[0]} replies lost")
        judged = await judge(stage, running.acks.ids(), running.crowd.records, seconds=90.0)
        jobs = await stage.truth.jobs()
    asking = sum(job.state == pb.JOB_STATE_NEEDS_ATTENTION for job in jobs.values())
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_least("replies that were to be lost", size.load.jobs / 20, done[0]),
        at_most("share of jobs that ask a person", size.asking, asking / max(1, len(jobs))),
    ]
    return Report(size.load.words, (*checks, *judged.checks), {"replies lost": done[0], **judged.figures})


@dataclass(frozen=True, slots=True)
class Errors:
    """Size of `upstream-errors`."""

    load: FaultLoad = field(default=FaultLoad(300, 10.0, watchers=100))
    per_second: float = 40.0
    seconds: float = 30.0
    calls_per_job: float = 20.0


def trouble(rng: random.Random) -> CallFault:
    """A read or a start that fails in one of several ways."""
    action = rng.choice(REPEATABLE)
    kinds: Sequence[CallFault] = (
        ErrorReply(action=action),
        ErrorReply(action=action),
        ErrorReply(action=action, code="Throttling.User", status=429, message="slow down", retry_after_ms=500),
        LostRequest(action=action),
        MalformedReply(action=action, shape="html"),
    )
    return rng.choice(kinds)


async def upstream_errors(trial: Trial, size: Errors | None = None) -> Report:
    """Answer reads and starts with 500s, throttling, resets and pages of a proxy, forty a second for half a minute."""
    size = size or Errors()
    async with Stage(Plan(workers=2)) as stage:
        async with under_load(stage, size.load) as running:
            async with spoiling(stage, trial.rng, trouble, size.per_second) as done:
                await asyncio.sleep(size.seconds)
            trial.say(f"{done[0]} calls were spoilt")
        judged = await judge(stage, running.acks.ids(), running.crowd.records, seconds=90.0)
        calls = stage.emulator.ledger.total
        spoilt = sum(row.status >= 400 or row.status == 0 for row in stage.emulator.ledger)
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_least("calls that failed", size.load.jobs / 2, spoilt),
        at_most("upstream calls a job", size.calls_per_job, calls / size.load.jobs),
    ]
    return Report(size.load.words, (*checks, *judged.checks), {"calls that failed": spoilt, **judged.figures})
