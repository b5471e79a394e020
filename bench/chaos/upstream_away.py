"""An upstream that can't be reached for long, and one whose keys are replaced under the workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.chaos.judging import judge
from bench.chaos.key_desk import PAIRS, KeyDesk
from bench.chaos.middleman import Middleman
from bench.chaos.proxy import Proxy
from bench.chaos.results import Report, at_least, at_most, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.truth import Stored
from bench.chaos.waiting import until_true
from bench.chaos.worker_faults import FaultLoad, under_load
from pydantic import SecretStr

from headgate_emulator.dataworks.quota import Limits
from headgate_emulator.ledger import LedgerRow


@dataclass(frozen=True, slots=True)
class Away:
    """Size of `upstream-outage`. Seconds; `qps` is what upstream allows, `window` over how long its use is counted."""

    load: FaultLoad = field(default=FaultLoad(240, 10.0, watchers=80))
    qps: int = 80
    before: float = 5.0
    away: float = 20.0
    window: float = 3.0
    growth: int = 8
    asking: int = 20


async def upstream_outage(trial: Trial, size: Away | None = None) -> Report:
    """Reset every connection to upstream and refuse new ones, for many of the longest waits between calls."""
    size = size or Away()
    environment = {"HEADGATE_DATAWORKS_TOTAL_QPS": str(size.qps), "HEADGATE_DATAWORKS_EDITION": "standard"}
    async with Stage(Plan(workers=0, environment=environment)) as stage, Proxy(stage.emulator.port) as line:
        stage.emulator.state.quota.limits = Limits(total_qps=size.qps)
        for _ in range(2):
            await stage.add_worker(HEADGATE_DATAWORKS_ENDPOINT=f"http://127.0.0.1:{line.port}")
        async with under_load(stage, size.load) as running:
            await asyncio.sleep(size.before)
            await line.leave()
            await asyncio.sleep(1.0)
            before = await stage.truth.jobs()
            await asyncio.sleep(size.away)
            growth = _growth(before, await stage.truth.jobs())
            last = stage.emulator.ledger.total
            await line.come_back()
            back = await until_true(lambda: stage.emulator.ledger.total > last, 60.0)
            trial.say(f"upstream is back, the first call came after {back:.1f} s; logs grew by {max(growth)} at most")
        judged = await judge(stage, running.acks.ids(), running.crowd.records, seconds=120.0)
        calls = stage.emulator.ledger.rows(after=last)
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        at_least("jobs under way while upstream was away", 100, len(growth)),
        at_most("events of a job while upstream was away, most", size.growth, max(growth)),
        at_most("jobs that ask a person", size.asking, float(judged.figures.get("jobs NEEDS_ATTENTION", 0))),
        at_most("upstream back to first call, s", 5.0, back),
        at_most("calls a second after that, most", 1.1 * size.qps, _busiest(calls, size.window)),
        at_most("share of calls that upstream throttled after that", 0.1, _throttled(calls) / max(1, len(calls))),
    ]
    figures = {"away, s": size.away, "calls after that": len(calls), **judged.figures}
    return Report(f"{size.load.words}, {size.qps} calls a second allowed", (*checks, *judged.checks), figures)


def _growth(before: Mapping[str, Stored], after: Mapping[str, Stored]) -> list[int]:
    """Events that each job got that was under way or began meanwhile."""
    known = {job_id: job.revision for job_id, job in before.items()}
    settled = {job_id for job_id, job in before.items() if job.settled}
    return [job.revision - known.get(job_id, 0) for job_id, job in after.items() if job_id not in settled]


def _throttled(calls: Sequence[LedgerRow]) -> int:
    return sum(call.status == 429 for call in calls)


def _busiest(calls: Sequence[LedgerRow], seconds: float) -> float:
    """Calls a second over the busiest stretch of so many seconds."""
    times = [call.at_ms / 1000 for call in calls]
    return max(sum(start <= at < start + seconds for at in times) for start in times) / seconds


@dataclass(frozen=True, slots=True)
class Rotation:
    """Size of `rotated-credentials`. Seconds."""

    load: FaultLoad = field(default=FaultLoad(320, 8.0, watchers=80))
    rotations: int = 6
    every: float = 5.0
    pick_up: float = 3.0


async def rotated_credentials(trial: Trial, size: Rotation | None = None) -> Report:
    """By turns let the session token expire and replace the key pair, while calls are under way; the old is refused."""
    size = size or Rotation()
    waits: list[float] = []
    async with Stage(Plan(workers=0)) as stage, KeyDesk() as desk, Middleman(stage.emulator.url, desk.guard) as gate:
        state = stage.emulator.state
        state.settings = state.settings.model_copy(update={"keys": SecretStr(PAIRS)})
        for _ in range(2):
            await stage.add_worker(**_asks_the_desk(desk, gate))
        async with under_load(stage, size.load) as running:
            await asyncio.sleep(2.0)  # until both workers have keys that can be rotated
            for number in range(size.rotations):
                began = time.monotonic()
                (desk.replace_pair if number % 2 else desk.expire_token)()
                await asyncio.sleep(size.every)
                waits.append(desk.last_refused - began)
                trial.say(f"rotation {number + 1}: the last refusal came {waits[-1]:.2f} s after it")
        judged = await judge(stage, running.acks.ids(), running.crowd.records)
    checks = [
        none("submits that were not acknowledged", len(running.acks.all) - len(running.acks.ids())),
        none("rotations that nobody noticed", sum(wait < 0 for wait in waits)),
        at_most("rotation to the last call with old keys, longest, s", size.pick_up, max(waits)),
        at_most("calls with old keys, for each rotation", 100, desk.refused / size.rotations),
    ]
    figures = {"rotations": size.rotations, "calls with old keys": desk.refused, **judged.figures}
    return Report(size.load.words, (*checks, *judged.checks), figures)


def _asks_the_desk(desk: KeyDesk, gate: Middleman) -> dict[str, str]:
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "",
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
        "ALIBABA_CLOUD_CREDENTIALS_URI": desk.url,
        "HEADGATE_DATAWORKS_ENDPOINT": gate.url,
    }
