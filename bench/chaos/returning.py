"""Ten thousand watches that come back at once to a server that was killed."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from bench.chaos.process import Process
from bench.chaos.results import Check, Report, at_least, at_most
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import adhoc
from bench.chaos.waiting import until_true
from bench.soak.samples import rss_mb

OPEN = re.compile(r"crowd open (?P<line>\{.*\})")


@dataclass(frozen=True, slots=True)
class ReturningCrowd:
    """Size of `returning-crowd`. Seconds from the server's word that it serves until every watch has a message."""

    watchers: int = 10_000
    connections: int = 20
    jobs: int = 50
    kills: int = 3
    back: float = 10.0
    kilobytes: float = 40.0


async def returning_crowd(trial: Trial, size: ReturningCrowd | None = None) -> Report:
    """Kill the only server again and again, and count how long all watches take to stand again."""
    size = size or ReturningCrowd()
    async with Stage(Plan(workers=0)) as stage:
        client = await stage.client()
        for number in range(size.jobs):
            await client.jobs.submit(adhoc(f"c{number}"))
        server, empty = stage.servers[0], rss_mb(stage.servers[0].pid)
        crowd = await stage.beside("raw_crowd", OPEN, *_arguments(server, size))
        took = []
        for _ in range(size.kills):
            killed = time.monotonic()
            await server.kill()
            server = await stage.restart_server(server)
            took.append(await _all_back(crowd, killed, time.monotonic()))
            trial.say(f"{size.watchers} watches stand again after {took[-1]:.2f} s")
        open_now = await stage.open_watches(server)
        each = (rss_mb(server.pid) - empty) * 1000 / size.watchers
        exits = stage.exits()
    checks: tuple[Check, ...] = (
        at_most("server back to every watch standing, s", size.back, max(took)),
        at_least("watches that stand in the end", size.watchers, open_now),
        at_most("memory of the server for each, kB", size.kilobytes, each),
        exits,
    )
    words = f"{size.watchers} watches of {size.jobs} jobs on {size.connections} connections, {size.kills} kills"
    return Report(words, checks, {"each time, s": ", ".join(f"{seconds:.2f}" for seconds in took)})


def _arguments(server: Process, size: ReturningCrowd) -> list[str]:
    port = server.addresses["grpc"].rpartition(":")[2]
    jobs = [f"jobs/c{number}" for number in range(size.jobs)]
    return [port, str(size.watchers), str(size.connections), *jobs]


async def _all_back(crowd: Process, killed: float, served: float) -> float:
    """Seconds from when the server served until the crowd says that all watches stand; infinite when it does not."""
    found: list[float] = []

    def told() -> bool:
        words = [OPEN.match(line) for line in crowd.lines]
        found[:] = [at for word in words if word and (at := float(json.loads(word["line"])["at"])) > killed]
        return bool(found)

    await until_true(told, 60.0)
    return max(0.0, found[-1] - served) if found else float("inf")
