"""One caller that asks for far too much: submits, open streams, streams reset at once, pings; and all others."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.chaos.process import Process
from bench.chaos.results import Check, Report, at_least, at_most, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import adhoc
from bench.chaos.waiting import until
from bench.soak.samples import descriptors, rss_mb

from headgate_client import Client, ClientOptions, HeadgateError

READY = re.compile(r"flooder ready")

SHED = frozenset({"RESOURCE_EXHAUSTED", "UNAVAILABLE", "never began", "told to calm down", "hung up"})
"""What may come of a greedy caller's call besides an answer: the third is the connection's own limit of streams, the
last two are what becomes of a connection of pings."""


ANSWER_SECONDS = 10.0
"""How long a call of another caller may take, tries and waits between them included."""


@dataclass(frozen=True, slots=True)
class Greedy:
    """Size of `caller-flood`. Seconds; megabytes of growth for each kind of flood, and its least calls, or 1,000.

    Args:
        most: of some kinds of flood, the most calls of it that may be served.
        environment: more variables for the server.
        token: of the one caller; empty where callers are not named.
        options: of all others.
    """

    seconds: float = 10.0
    others_per_second: float = 10.0
    success: float = 0.99
    recovery: float = 5.0
    megabytes: Mapping[str, float] = field(
        default_factory=lambda: {"submits": 100.0, "streams": 450.0, "resets": 50.0, "pings": 50.0}
    )
    least: Mapping[str, int] = field(default_factory=lambda: {"pings": 200})
    most: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    options: ClientOptions = field(default_factory=ClientOptions)


@dataclass(slots=True)
class Others:
    """Callers that want little: what came of their submits, reads and watches, and how long each took."""

    client: Client
    told: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    acked: list[str] = field(default_factory=list)

    async def steadily(self, prefix: str, per_second: float, stop: asyncio.Event) -> None:
        """Call by turns for each of the three, until stopped."""
        began, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(self._call(f"{prefix}-{number}", number % 3))
                number += 1
                await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))

    async def _call(self, word: str, kind: int) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await (self._submit, self._read, self._watch)[kind](word)
            self.told["OK"] += 1
        except TimeoutError:
            self.told["too late"] += 1
        except HeadgateError as error:
            self.told[error.code.name] += 1
        self.seconds.append(time.monotonic() - began)

    async def _submit(self, word: str) -> None:
        await self.client.jobs.submit(adhoc(word))
        self.acked.append(word)

    async def _read(self, _: str) -> None:
        await self.client.jobs.get("quiet")

    async def _watch(self, _: str) -> None:
        async with self.client.jobs.watch("quiet") as watch:
            await anext(aiter(watch))


@dataclass(frozen=True, slots=True)
class _FloodResult:
    """What one kind of flood came to."""

    kind: str
    flood: Mapping[str, int]
    others: Others
    growth: float
    recovered: float


async def caller_flood(trial: Trial, size: Greedy | None = None) -> Report:
    """Flood the server from one caller in four ways, one after the other, while others call as ever."""
    size = size or Greedy()
    async with Stage(Plan(workers=0, environment=size.environment)) as stage:
        client = await stage.client(size.options)
        await client.jobs.submit(adhoc("quiet"))
        fds = descriptors(stage.servers[0].pid)
        seen = [await _flood(trial, stage, kind, size) for kind in size.megabytes]
        left = descriptors(stage.servers[0].pid) - fds
        known = set(await stage.truth.job_ids())
        exits = stage.exits()
    acked = [word for one in seen for word in one.others.acked]
    flooded = sum(word.startswith("f") for word in known)
    submitted = next(one.flood for one in seen if one.kind == "submits")
    checks = [
        *(check for one in seen for check in _checks(one, size)),
        none("acknowledged jobs of others lost", len(set(acked) - known)),
        at_least("jobs of the flood, of those acknowledged", submitted.get("OK", 0), flooded),
        at_most("descriptors more than before, but for those of others", 2, left - len(seen)),
        exits,
    ]
    figures = {f"flood of {one.kind}": json.dumps(one.flood).replace('"', "") for one in seen}
    lags = {f"others' p99 under {one.kind}, s": quantile(one.others.seconds, 0.99) for one in seen}
    others = f"{size.others_per_second:g} submits, reads and watches of others a second"
    words = f"{others}; {len(seen)} floods of {size.seconds:g} s"
    return Report(words, tuple(checks), {**figures, **lags})


async def _flood(trial: Trial, stage: Stage, kind: str, size: Greedy) -> _FloodResult:
    server, stop = stage.servers[0], asyncio.Event()
    others, before = Others(await stage.client(size.options)), rss_mb(server.pid)
    calling = asyncio.create_task(others.steadily(f"o-{kind}", size.others_per_second, stop))
    words = (server.addresses["grpc"], kind, str(size.seconds), *filter(None, [size.token]))
    flooder = await stage.beside("flooder", READY, *words)
    peak = 0.0
    while flooder.returncode is None:
        peak = max(peak, rss_mb(server.pid))
        await asyncio.sleep(0.2)
    await flooder.wait()
    recovered = await until(lambda: _is_well(stage, others.client), 30.0)
    stop.set()
    await calling
    flood = _told(flooder)
    trial.say(f"{kind}: {flood}; others: {dict(others.told)}; well again after {recovered:.2f} s")
    return _FloodResult(kind, flood, others, peak - before, recovered)


def _told(flooder: Process) -> dict[str, int]:
    line = next((line for line in flooder.lines if line.startswith("flooder done ")), "flooder done {}")
    return dict(json.loads(line.removeprefix("flooder done ")))


async def _is_well(stage: Stage, client: Client) -> bool:
    """Whether a read is answered within a quarter of a second, and the flood's streams are gone."""
    began = time.monotonic()
    try:
        await client.jobs.get("quiet")
    except HeadgateError:
        return False
    return time.monotonic() - began < 0.25 and await stage.open_watches(stage.servers[0]) <= 5


def _checks(seen: _FloodResult, size: Greedy) -> list[Check]:
    told, flood = seen.others.told, seen.flood
    odd = sum(count for word, count in flood.items() if word not in SHED | {"OK", "reset"})
    served = (
        [at_most(f"its calls served, {seen.kind}", size.most[seen.kind], flood.get("OK", 0))]
        if seen.kind in size.most
        else []
    )
    return [
        *served,
        at_least(f"calls of the flood of {seen.kind}", size.least.get(seen.kind, 1_000), sum(flood.values())),
        none(f"its calls neither served nor shed, {seen.kind}", odd),
        at_least(f"others' success under {seen.kind}", size.success, told["OK"] / max(1, told.total())),
        at_most(f"growth of the server under {seen.kind}, MB", size.megabytes[seen.kind], seen.growth),
        at_most(f"end of the flood of {seen.kind} to a well server, s", size.recovery, seen.recovered),
    ]
