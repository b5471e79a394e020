"""Eight workers under one small quota: used and not passed, followed when it is halved, with a way for cancels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.chaos.results import Report, at_least, at_most, equal
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import backfill
from bench.chaos.waiting import until, until_true

from headgate import pb
from headgate.store import keys
from headgate_client import Client
from headgate_emulator.dataworks.quota import Limits
from headgate_emulator.ledger import LedgerRow

DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Size of `fleet-quota`.

    Args:
        jobs: backfills that run all the while, of three dates each; enough to want more than the quota.
        qps: calls a second that upstream allows.
        halved: the same later on.
        settle: seconds that are not counted after a change.
        steady: seconds that are.
    """

    workers: int = 8
    qps: int = 5
    halved: int = 2
    jobs: int = 40
    settle: float = 15.0
    steady: float = 40.0


async def fleet_quota(trial: Trial, size: Fleet | None = None) -> Report:
    """Count what upstream is asked and refuses, at its limit, at half of it, and while reads are frozen."""
    size = size or Fleet()
    environment = {"HEADGATE_DATAWORKS_TOTAL_QPS": str(size.qps), "HEADGATE_DATAWORKS_EDITION": "standard"}
    async with Stage(Plan(workers=size.workers, run_seconds=30.0, environment=environment)) as stage:
        stage.emulator.state.quota.limits = Limits(total_qps=size.qps)
        client = await stage.client()
        for number in range(size.jobs):
            request = backfill(f"fleet-{number}", 3)
            await client.backfills.create(request.spec, job_id=request.job_id, request_id=request.request_id)
        full = await _steady(stage, size, trial)
        stage.emulator.state.quota.limits = Limits(total_qps=size.halved)
        halved = await _steady(stage, size, trial)
        stopped = await _cancel_while_reads_are_frozen(stage, client)
        exits = stage.exits()
    seconds = size.steady
    checks = (
        equal("calls refused in the steady state", 0, _refused(full)),
        at_least("share of the allowed rate that was used", 0.95, len(full) / seconds / size.qps),
        at_most("share of calls refused once less was allowed", 0.1, _refused(halved) / max(1, len(halved))),
        at_least("share of the lower rate that was used", 0.6, _served(halved) / seconds / size.halved),
        at_most("seconds until a cancel was through while reads were frozen", DEADLINE_SECONDS, stopped),
        exits,
    )
    figures = {"calls at the limit": len(full), "calls at half of it": len(halved), "refused then": _refused(halved)}
    return Report(f"{size.jobs} backfills, {size.workers} workers, {size.qps} calls a second allowed", checks, figures)


async def _steady(stage: Stage, size: Fleet, trial: Trial) -> Sequence[LedgerRow]:
    """What upstream was asked in a while, after a time to settle."""
    await asyncio.sleep(size.settle)
    before = stage.emulator.ledger.total
    await asyncio.sleep(size.steady)
    rows = stage.emulator.ledger.rows(after=before)
    trial.say(f"{len(rows)} calls in {size.steady:g} s, {_refused(rows)} refused")
    return rows


def _refused(rows: Sequence[LedgerRow]) -> int:
    return sum(row.status == 429 for row in rows)


def _served(rows: Sequence[LedgerRow]) -> int:
    return len(rows) - _refused(rows)


async def _that_runs(stage: Stage) -> str:
    """The name of a job with a date that runs."""
    found: list[str] = []

    async def probe() -> bool:
        jobs = (await stage.truth.jobs()).values()
        found[:] = [one.job.name for one in jobs if any(run.state == pb.RUN_STATE_RUNNING for run in one.job.runs)]
        return bool(found)

    await until(probe, 120.0, pause=0.5)
    return found[0]


async def _cancel_while_reads_are_frozen(stage: Stage, client: Client) -> float:
    """Seconds from the cancel of a running job to its stop upstream, with no read let out."""
    name = await _that_runs(stage)
    hour = int((time.time() + 3600) * 1000)
    await stage.truth.redis.hset(keys.quota(""), "frozen:read", str(hour))
    before = stage.emulator.ledger.total
    await client.jobs.cancel(keys.job_id(name), reason="reads are frozen")

    def stopped() -> bool:
        return bool(stage.emulator.ledger.rows(action="StopWorkflowInstances", after=before))

    return await until_true(stopped, DEADLINE_SECONDS)
