"""Servers that are killed and servers that drain, under submits and watches."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from bench.chaos.judging import judge
from bench.chaos.results import Report, at_least, at_most, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import Ack, Acks, SubmitOutcome, light
from bench.chaos.watches import UNOPENED, WatcherCrowd


@dataclass(frozen=True, slots=True)
class ServerKills:
    """Size of `server-kills`."""

    jobs: int = 900
    per_second: float = 15.0
    watchers: int = 200
    every: float = 3.0
    seconds: float = 60.0


@dataclass(slots=True)
class _Two:
    """Submits and watches against two servers; each client prefers another one."""

    acks: Acks
    crowd: WatcherCrowd
    task: asyncio.Task[None]

    @classmethod
    async def begin(cls, stage: Stage, *, jobs: int, per_second: float, watchers: int) -> _Two:
        clients = [await stage.client(turn=turn) for turn in range(8)]
        acks, crowd = Acks(), WatcherCrowd(clients, at_a_time=watchers)

        def watch(ack: Ack) -> None:
            if ack.told is SubmitOutcome.ACKNOWLEDGED:
                crowd.watch(ack.job_id)

        async def submit() -> None:
            async with asyncio.TaskGroup() as group:
                for turn, client in enumerate(clients):
                    mine = jobs // len(clients)
                    group.create_task(
                        acks.steadily(
                            client,
                            lambda n, turn=turn: light(n * len(clients) + turn),  # type: ignore[misc]
                            count=mine,
                            per_second=per_second / len(clients),
                            then=watch,
                        )
                    )

        return cls(acks, crowd, asyncio.create_task(submit()))


async def server_kills(trial: Trial, size: ServerKills | None = None) -> Report:
    """Kill one of two servers every three seconds and start it again."""
    size = size or ServerKills()
    kills = 0
    async with Stage(Plan(workers=2, servers=2, run_seconds=6.0)) as stage:
        two = await _Two.begin(stage, jobs=size.jobs, per_second=size.per_second, watchers=size.watchers)
        began = time.monotonic()
        while time.monotonic() - began < size.seconds:
            await asyncio.sleep(max(0.0, began + (kills + 1) * size.every - time.monotonic()))
            victim = stage.servers[0]
            await victim.kill()
            await stage.restart_server(victim)
            kills += 1
            trial.say(f"kill {kills}; {len(two.acks.all)} submits answered")
        await two.task
        await stage.truth.settle(two.acks.ids(), 90.0)
        await two.crowd.finish(20.0)
        judged = await judge(stage, two.acks.ids(), two.crowd.records)
    waits = [wait for record in two.crowd.records for wait in record.waits]
    checks = [
        none("submits that failed after the client's retries", len(two.acks.all) - len(two.acks.ids())),
        at_least("streams that were lost and opened again", size.watchers, len(waits)),
        at_most("lost stream to next message, p99, s", 3.0, quantile(waits, 0.99)),
        *judged.checks,
    ]
    figures = {"kills": kills, "lost stream to next message, p50, s": quantile(waits, 0.5), **judged.figures}
    return Report(_words(size.jobs, size.per_second, size.watchers), tuple(checks), figures)


def _words(jobs: int, per_second: float, watchers: int) -> str:
    return f"{jobs} jobs at {per_second:g}/s, {watchers} watchers at a time, two servers"


@dataclass(frozen=True, slots=True)
class Drains:
    """Size of `drain`."""

    jobs: int = 1_600
    per_second: float = 50.0
    watchers: int = 300
    rounds: int = 3
    pause: float = 4.0


async def drain(trial: Trial, size: Drains | None = None) -> Report:
    """SIGTERM one of two servers under load, start it again, then the other one."""
    size = size or Drains()
    statuses: list[int] = []
    seconds: list[float] = []
    async with Stage(Plan(workers=2, servers=2, run_seconds=6.0)) as stage:
        two = await _Two.begin(stage, jobs=size.jobs, per_second=size.per_second, watchers=size.watchers)
        for _ in range(2 * size.rounds):
            await asyncio.sleep(size.pause)
            leaving, began = stage.servers[0], time.monotonic()
            statuses.append(await leaving.stop(grace=30.0))
            seconds.append(time.monotonic() - began)
            await stage.restart_server(leaving)
            trial.say(f"{leaving.name} left after {seconds[-1]:.1f} s")
        await two.task
        await stage.truth.settle(two.acks.ids(), 90.0)
        await two.crowd.finish(20.0)
        judged = await judge(stage, two.acks.ids(), two.crowd.records)
    told = sum(record.causes["SERVER_DRAINING"] for record in two.crowd.records)
    causes = sum((record.causes for record in two.crowd.records), Counter[str]())
    untold = {cause: n for cause, n in causes.items() if not cause.startswith(("SERVER_DRAINING", UNOPENED))}
    checks = [
        none("submits that failed after the client's retries", len(two.acks.all) - len(two.acks.ids())),
        none("exits other than 0", sum(status != 0 for status in statuses)),
        at_most("longest drain, s", 10.0, max(seconds)),
        at_least("streams told SERVER_DRAINING", size.rounds * 10, told),
        none("streams that ended without being told", sum(untold.values())),
        *judged.checks,
    ]
    figures = {
        "drains": len(statuses),
        "drain p50, s": quantile(seconds, 0.5),
        "causes": str(dict(causes)),
        **judged.figures,
    }
    return Report(_words(size.jobs, size.per_second, size.watchers), tuple(checks), figures)
