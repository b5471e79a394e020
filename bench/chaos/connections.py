"""Connections to Redis that break: cut again and again, cut after a commit with its reply lost, scripts forgotten."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.proxy import Side, TokenCut
from bench.chaos.results import Report, at_least, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import mixed
from bench.chaos.worker_faults import FaultLoad, under_load

from headgate.store import commit
from headgate_server.store import acceptance


@dataclass(frozen=True, slots=True)
class Cuts:
    """Size of `cut-connections` and of `script-flush`."""

    load: FaultLoad = field(default=FaultLoad(300, 10.0, watchers=100))
    every: float = 0.25
    seconds: float = 30.0


async def cut_connections(trial: Trial, size: Cuts | None = None) -> Report:
    """Reset every connection between our processes and Redis, four times a second."""
    size = size or Cuts()
    async with Stage(Plan(workers=2, proxied=True)) as stage:
        async with under_load(stage, size.load) as running:
            until = time.monotonic() + size.seconds
            while time.monotonic() < until:
                await asyncio.sleep(size.every)
                stage.proxy.cut_all()
            trial.say(f"{stage.proxy.cuts} connections were cut")
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
        cuts = stage.proxy.cuts
    checks = [none("submits that failed after the client's retries", len(running.acks.all) - len(running.acks.ids()))]
    return Report(size.load.words, (*checks, *judged.checks), {"connections cut": cuts, **judged.figures})


@dataclass(frozen=True, slots=True)
class LostReplies:
    """Size of `lost-commit-replies`."""

    load: FaultLoad = field(default=FaultLoad(400, 15.0, watchers=100))
    every: int = 10


async def lost_commit_replies(trial: Trial, size: LostReplies | None = None) -> Report:
    """Let one commit in 10 reach Redis and be done, drop its reply and cut the connection."""
    size = size or LostReplies()
    commits, submits = _digest(commit.SCRIPT), _digest(acceptance.SCRIPT)
    async with Stage(Plan(workers=2, proxied=True)) as stage:
        client = await stage.client()
        stage.proxy.cut = cut = TokenCut(commits, Side.AFTER, every=size.every, others=(submits,))
        async with under_load(stage, size.load) as running:
            trial.say("every tenth commit loses its reply")
        stage.proxy.cut = None
        again = [await client.jobs.submit(mixed(number)) for number in range(0, size.load.jobs, 7)]
        others = sum(
            handle.id != f"c{number}" for handle, number in zip(again, range(0, size.load.jobs, 7), strict=True)
        )
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
        known = len(await stage.truth.job_ids())
    checks = [
        at_least("commits whose reply was dropped", size.load.jobs / 10, cut.done),
        none("submits that failed after the client's retries", len(running.acks.all) - len(running.acks.ids())),
        none("repeated submits that found another job", others),
        none("jobs that nobody asked for", known - size.load.jobs),
    ]
    return Report(size.load.words, (*checks, *judged.checks), {"commits seen": cut.seen, **judged.figures})


async def script_flush(trial: Trial, size: Cuts | None = None) -> Report:
    """Make Redis forget every script, four times a second."""
    size = size or Cuts()
    flushes = 0
    async with Stage(Plan(workers=2)) as stage:
        async with under_load(stage, size.load) as running:
            until = time.monotonic() + size.seconds
            while time.monotonic() < until:
                await asyncio.sleep(size.every)
                await stage.truth.redis.script_flush()
                flushes += 1
            trial.say(f"scripts were flushed {flushes} times")
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
    checks = [none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids()))]
    return Report(size.load.words, (*checks, *judged.checks), {"flushes": flushes, **judged.figures})


def _digest(script: str) -> bytes:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest().encode()
