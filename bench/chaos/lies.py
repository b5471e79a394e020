"""An upstream with wrong answers: all that a proxy, another version or a fault can make of a right one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.judging import judge
from bench.chaos.middleman import REPLY_LIES, ROW_LIES, Lie, Middleman
from bench.chaos.results import Report, at_least, at_most, equal, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.truth import Stored
from bench.chaos.worker_faults import FaultLoad, under_load

from headgate import pb

WRITES = ("CreateWorkflowInstances", "ExecuteAdhocWorkflowInstance")

ACTIONS = (
    *WRITES,
    "GetCreateWorkflowInstancesResult",
    "StartWorkflowInstances",
    "GetWorkflowInstance",
    "ListWorkflowInstances",
)


@dataclass(frozen=True, slots=True)
class Lying:
    """Size of `lying-upstream`. Each wrong answer to each action is given `rounds` times."""

    load: FaultLoad = field(default=FaultLoad(240, 10.0, watchers=80))
    rounds: int = 2
    every: float = 0.15
    call_seconds: float = 3.0
    megabytes: float = 64.0


async def lying_upstream(trial: Trial, size: Lying | None = None) -> Report:
    """Give every wrong answer to every action, in random order, while jobs run."""
    size = size or Lying()
    cases = [case for _ in range(size.rounds) for case in trial.rng.sample(_cases(), len(_cases()))]
    call = {"HEADGATE_CALL_SECONDS": str(size.call_seconds)}
    async with Stage(Plan(workers=0, environment=call)) as stage, Middleman(stage.emulator.url) as middleman:
        for _ in range(2):
            await stage.add_worker(HEADGATE_DATAWORKS_ENDPOINT=middleman.url)
        before = [_peak_mb(worker.pid) for worker in stage.workers]
        async with under_load(stage, size.load) as running:
            for _, lie, action in cases:
                middleman.lie(lie, action)
                await asyncio.sleep(size.every)
            trial.say(f"{middleman.told.total()} lies were told")
        judged = await judge(stage, running.acks.ids(), running.crowd.records, seconds=90.0)
        jobs = await stage.truth.jobs()
        growth = [_peak_mb(worker.pid) - was for worker, was in zip(stage.workers, before, strict=True)]
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_least("lies told", 0.9 * len(cases), middleman.told.total()),
        equal(
            "answers to writes that an event explains",
            sum(middleman.told[action] for action in WRITES),
            _explained(jobs),
        ),
        at_most("longest call, s", size.call_seconds + 2.0, middleman.longest),
        at_most("growth of a worker's peak memory, MB", size.megabytes, max(growth)),
    ]
    return Report(size.load.words, (*checks, *judged.checks), {"lies about actions": len(_cases()), **judged.figures})


def _cases() -> list[tuple[str, Lie, str]]:
    found = [(name, lie, action) for name, lie in REPLY_LIES.items() for action in ACTIONS]
    return [*found, *ROW_LIES]


def _explained(jobs: Mapping[str, Stored]) -> int:
    """Events that leave a call open and say what was wrong with its answer: our code for it, and a sentence."""
    events = [pb.JobEvent.FromString(event) for job in jobs.values() for event in job.events]
    return sum(_REASON.fullmatch(event.message) is not None for event in events)


_REASON = re.compile(rf"({'|'.join(WRITES)}): (malformed_reply|timed_out|reply_too_large): .{{3,}}")


def _peak_mb(pid: int) -> float:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
