"""A noisy tenant: one caller does each harmful thing of the field report, and another must not notice.

Each noise is first sent to a bare server that refuses it all (`refuser`), which says what of the other's waiting is the
machine's: the noise is made, sent and refused on the cores that headgate, its worker and its Redis run on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bench.chaos.noises import KINDS
from bench.chaos.process import Process
from bench.chaos.results import Check, Figure, Report, at_least, at_most, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import adhoc
from bench.soak.samples import rss_mb

from headgate import pb
from headgate_client import Client, ClientOptions, HeadgateError, RetryPolicy

READY: Final = re.compile(r"noise ready")
REFUSER_READY: Final = re.compile(r"refuser ready grpc=(?P<grpc>\S+)")
NOISY, GOOD = (f"hg_{hashlib.sha256(name.encode()).hexdigest()[:43]}" for name in ("noisy", "good"))


@dataclass(frozen=True, slots=True)
class Noisy:
    """Size of `noisy-tenant`. Seconds; calls a second of the good caller.

    Args:
        quiet: how long the good caller is alone at first.
        slower: how many times the quiet p99 the good caller's may be; the one beside a bare server that refuses the
            noise, where that is longer.
        floor: a quiet p99 below this counts as this much: what the machine itself does in a bad moment.
        kinds: which noises.
    """

    quiet: float = 15.0
    seconds: float = 15.0
    per_second: float = 20.0
    slower: float = 3.0
    floor: float = 0.02
    megabytes: float = 150.0
    kinds: tuple[str, ...] = tuple(KINDS)


@dataclass(slots=True)
class Good:
    """A caller of few calls: their outcomes, and how long each took."""

    client: Client
    instance: int
    told: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    slowest: dict[int, float] = field(default_factory=dict)

    async def steadily(self, prefix: str, per_second: float, stop: asyncio.Event) -> None:
        """Call by turns in five ways until stopped; no call waits for another."""
        began, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(self._call(f"{prefix}-{number}", number % 5))
                number += 1
                await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))

    async def _call(self, word: str, kind: int) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(10.0):
                await (self._submit, self._get, self._list, self._read, self._watch)[kind](word)
            self.told["OK"] += 1
        except TimeoutError:
            self.told["too late"] += 1
        except HeadgateError as error:
            self.told[f"{error.method} {error.code.name} {error.reason}"] += 1
        self.seconds.append(time.monotonic() - began)
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), self.seconds[-1])

    async def _submit(self, word: str) -> None:
        await self.client.jobs.submit(adhoc(word, until=pb.UNTIL_ACCEPTED))

    async def _get(self, _: str) -> None:
        await self.client.jobs.get("quiet")

    async def _list(self, _: str) -> None:
        await self.client.jobs.list_page(pb.ListJobsRequest(page_size=20))

    async def _read(self, _: str) -> None:
        await self.client.workflow_instances.get(self.instance)

    async def _watch(self, _: str) -> None:
        async with self.client.jobs.watch("quiet") as watch:
            await anext(aiter(watch))


@dataclass(frozen=True, slots=True)
class _NoiseResult:
    kind: str
    noise: str
    good: Good
    growth: float
    refused: float = 0.0


async def noisy_tenant(trial: Trial, size: Noisy | None = None) -> Report:
    """Measure the good caller alone, then beside each noise."""
    size = size or Noisy()
    with tempfile.TemporaryDirectory(prefix="headgate-callers-") as name:
        path = Path(name) / "callers.toml"
        path.write_text(_entry("noisy", NOISY) + _entry("good", GOOD, 'connections = [""]\n'))
        environment = {"HEADGATE_CALLERS": str(path), "HEADGATE_MAX_CONNECTION_CALLS": "250"}
        async with Stage(Plan(workers=1, environment=environment, emulator_apart=True)) as stage:
            once = ClientOptions(token=GOOD, retry=RetryPolicy(max_attempts=1))
            client = await stage.client(once)
            handle = await client.jobs.submit(adhoc("quiet"))
            instance = (await handle.result()).runs[0].workflow_instance_id
            quiet = await _alone(Good(client, instance), size)
            trial.say(f"alone: p99 {1000 * quantile(quiet.seconds, 0.99):.1f} ms, {dict(quiet.told)}")
            refuser = await stage.beside("refuser", REFUSER_READY)
            seen = [await _twice(trial, stage, refuser, Good(client, instance), kind, size) for kind in size.kinds]
            exits = stage.exits()
    was = quantile(quiet.seconds, 0.99)
    checks = [*(check for one in seen for check in _checks(one, size, was)), exits]
    figures: dict[str, Figure] = {"p99 alone, ms": 1000 * was}
    figures |= {f"noise of {one.kind}": one.noise for one in seen}
    figures |= {f"p99 beside {one.kind} at a refuser, ms": 1000 * one.refused for one in seen}
    figures |= {f"p99 beside {one.kind}, ms": 1000 * quantile(one.good.seconds, 0.99) for one in seen}
    words = f"{size.per_second:g} calls/s of one caller, {len(seen)} noises of another, {size.seconds:g} s each"
    return Report(words, tuple(checks), figures)


async def _alone(good: Good, size: Noisy) -> Good:
    stop = asyncio.Event()
    calling = asyncio.create_task(good.steadily("q", size.per_second, stop))
    await asyncio.sleep(size.quiet)
    stop.set()
    await calling
    return good


async def _twice(trial: Trial, stage: Stage, refuser: Process, good: Good, kind: str, size: Noisy) -> _NoiseResult:
    """A noise at a bare server that refuses it, then at headgate."""
    alone = await _beside(trial, stage, refuser.addresses["grpc"], Good(good.client, good.instance), kind, size)
    seen = await _beside(trial, stage, stage.servers[0].addresses["grpc"], good, kind, size)
    return replace(seen, refused=quantile(alone.good.seconds, 0.99))


async def _beside(trial: Trial, stage: Stage, target: str, good: Good, kind: str, size: Noisy) -> _NoiseResult:
    server, stop = stage.servers[0], asyncio.Event()
    before, peak = rss_mb(server.pid), 0.0
    noise = await stage.beside("noises", READY, target, kind, str(size.seconds), NOISY)
    word = re.sub("[^a-z0-9]+", "-", f"{kind}-{target[-5:]}".lower())
    calling = asyncio.create_task(good.steadily(word, size.per_second, stop))
    while noise.returncode is None:
        peak = max(peak, rss_mb(server.pid))
        await asyncio.sleep(0.2)
    await noise.wait()
    stop.set()
    await calling
    told = _told(noise)
    trial.say(f"{kind} at {target}: {told}; p99 {1000 * quantile(good.seconds, 0.99):.1f} ms, {dict(good.told)}")
    return _NoiseResult(kind, told, good, peak - before)


def _told(noise: Process) -> str:
    line = next((line for line in noise.lines if line.startswith("noise done ")), "noise done {}")
    return json.dumps(json.loads(line.removeprefix("noise done "))).replace('"', "")


def _checks(seen: _NoiseResult, size: Noisy, was: float) -> list[Check]:
    told = seen.good.told
    return [
        at_least(f"calls of the noise, {seen.kind}", 1, len(seen.noise.strip("{}"))),
        at_least(f"good caller's success beside {seen.kind}", 1.0, told["OK"] / max(1, told.total())),
        at_most(
            f"good caller's p99 beside {seen.kind}, as times the quiet one",
            size.slower,
            quantile(seen.good.seconds, 0.99) / max(size.floor, was),
        ),
        at_most(f"growth of the server beside {seen.kind}, MB", size.megabytes, seen.growth),
    ]


def _entry(name: str, token: str, more: str = "") -> str:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'[callers.{name}]\nrights = ["write"]\ntokens = [{{sha256 = "{digest}"}}]\n{more}\n'
