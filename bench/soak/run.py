"""One soak: the stage, the load and the samples, and what they came to."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass

from bench.chaos.results import Check, Figure, Report, at_least, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.waiting import until
from bench.soak.load import SoakLoad
from bench.soak.samples import BOUNDS, Samples, job_keys
from bench.soak.trend import Trend, check, trend


@dataclass(frozen=True, slots=True)
class Soak:
    """Size of a soak.

    Args:
        minutes: how long the load lasts.
        per_second: jobs submitted a second.
        every: seconds between two samples.
        clients: channels that share the calls.
    """

    minutes: float = 2.0
    per_second: float = 4.0
    every: float = 2.0
    clients: int = 4


async def soak(trial: Trial, size: Soak) -> Report:
    """Load two servers and two workers for a while, let everything end, and say what has grown."""
    samples = Samples()
    async with Stage(Plan(workers=2, servers=2)) as stage:
        clients = [await stage.client(turn=turn) for turn in range(size.clients)]
        load = SoakLoad(clients, random.Random(trial.seed), per_second=size.per_second)
        loading = asyncio.create_task(load.run())
        await _sample(trial, stage, samples, size)
        load.stop()
        await loading
        quiet = await until(lambda: _nothing_left(stage), 30.0, pause=0.5)
        left = await job_keys(stage.truth.redis)
        exits = stage.exits()
    trends = {name: trend(series) for name, series in samples.series.items()}
    checks = [
        *(check(_called(*name), found, BOUNDS[name[1]]) for name, found in trends.items() if name[1] in BOUNDS),
        none("calls that failed", sum(load.failures.values())),
        at_least("jobs that were watched to their end and deleted", load.counts["submit"], load.counts["delete"]),
        none("keys left of jobs and ticks after the end", sum(left.values())),
        exits,
    ]
    figures = {**_figures(trends), **load.counts, "failures": json.dumps(load.failures), "quiet after, s": quiet}
    words = f"{size.per_second:g} jobs/s for {size.minutes:g} min, watched, read, cancelled and deleted"
    return Report(words, tuple(checks), figures)


async def _sample(trial: Trial, stage: Stage, samples: Samples, size: Soak) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + size.minutes * 60
    while (now := loop.time()) < end:
        await samples.take((*stage.servers, *stage.workers), stage.truth)
        trial.say(f"{(end - now) / 60:.1f} min to go")
        await asyncio.sleep(max(0.0, min(now + size.every, end) - loop.time()))


async def _nothing_left(stage: Stage) -> bool:
    return not await job_keys(stage.truth.redis)


def _called(who: str, kind: str) -> str:
    return f"{who}: {kind}" if who else kind


def _figures(trends: dict[tuple[str, str], Trend]) -> dict[str, Figure]:
    return {
        _called(*name): f"{found.first:.1f} -> {found.last:.1f}, peak {found.peak:.1f}, {found.per_hour:+.1f} an hour"
        for name, found in trends.items()
    }


def table(report: Report) -> str:
    """The report as a Markdown table: first what has a bound, then the other figures."""
    lines = ["| what | wanted | seen | held |", "|---|---|---|---|"]
    lines += [_row(row) for row in report.checks]
    lines += [
        "",
        "| figure | seen |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in report.figures.items()),
    ]
    return "\n".join(lines)


def _row(row: Check) -> str:
    return f"| {row.what} | {row.wanted} | {row.seen} | {'yes' if row.held else '**no**'} |"
