"""P18: how near a backfill comes to the ideal schedule of its run times, and with how many calls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import aiohttp
import grpc
from bench.chaos.waiting import until
from bench.figures import CannotMeasure, Figure, Found, at_most
from bench.idle_lanes import IdleTime, idle_time, of_emulator, span_ms
from bench.rows.seeding import ask, submit_one
from bench.schedule import Work, ideal_ms, least_calls, polled
from bench.setting import GET_JOB, OTHER, Setting, Size

from headgate import pb
from headgate.backfill import dates
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_worker.core.model.view import Policy
from tests.acceptance.lanes import Lived, live, remembered, scenario

FIRST = date(2025, 1, 1)
LANES, AHEAD = 10, 40
POLL_MIN_MS = 300
"""Shortest time between two reads: dates that run for seconds are read often."""

PATIENCE_SECONDS = 150.0
_QUIET = {"HEADGATE_FAILURE_DIGEST_SECONDS": "0", "HEADGATE_DRY_RUN_SECONDS": "0"}
"""What is asked about ends has no part in a schedule."""


LONG, SHORT = (6.0, 10.0), (1.0, 2.0)
"""How long dates run, in seconds, from and to."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """A backfill against the emulator: makespan and calls against the yardsticks, and where lanes stood idle."""

    span: float
    calls: float
    idle: IdleTime


async def p18(size: Size) -> Found:
    """30 random backfills in virtual time, from submit to end; four for real, from the first begin to the last end."""
    lived = await asyncio.to_thread(lambda: [_lived(seed) for seed in range(8 if size.quick else 30)])
    failing = [one.whole for one in lived if one.world.cloud.fails]
    whole = [one.whole for one in lived if not one.world.cloud.fails]
    clean, failed = await _real(60 if size.quick else 120, LONG)
    short, late = await _real(60 if size.quick else 120, SHORT)
    return Found(
        (
            Figure("virtual: submit to end / ideal, no failure, worst", "x", (max(whole),), at_most(1.05)),
            Figure("virtual: the same with failed dates, worst", "x", (max(failing),), at_most(1.15)),
            Figure("virtual: calls / fewest, worst", "x", (max(one.spent for one in lived),), at_most(1.3)),
            Figure("emulator: first begin to last end / ideal, no failure", "x", (clean.span,), at_most(1.05)),
            Figure("emulator: the same with three failed dates and a slow one", "x", (failed.span,), at_most(1.15)),
            Figure("emulator: calls / fewest", "x", (max(clean.calls, failed.calls),), at_most(1.3)),
            Figure("emulator, dates of 1 to 2 s: begin to end / ideal, no failure", "x", (short.span,), at_most(1.05)),
            Figure("emulator, dates of 1 to 2 s: with failed dates", "x", (late.span,), at_most(1.15)),
            Figure("emulator, dates of 1 to 2 s: calls / fewest", "x", (max(short.calls, late.calls),), at_most(1.3)),
        ),
        (
            "ideal: list scheduling of the same run times; fewest calls: bench/schedule.py, with the polling as it is",
            _told("6 to 10 s", clean, failed),
            _told("1 to 2 s", short, late),
        ),
    )


def _told(dates: str, *measured: _Measured) -> str:
    idle = [f"{one.idle.unseen}, {one.idle.waiting} and {one.idle.last}" for one in measured]
    return (
        f"ms for which all lanes together stood idle, dates of {dates}, before an end was read, from there to a begin, "
        f"and at the end: {idle[0]}; with failed dates {idle[1]}"
    )


def _lived(seed: int) -> Lived:
    of = scenario(seed)
    return live(of, known=remembered(of.behaviour))


async def _real(count: int, seconds: tuple[float, float]) -> tuple[_Measured, _Measured]:
    """Makespan and calls against the yardsticks, without failures and with them; the first backfill is for learning."""
    rng = random.Random(18)
    took = [rng.uniform(*seconds) for _ in range(count)]
    slow = [*took[: count // 2], 2 * seconds[1], *took[count // 2 + 1 :]]
    async with Setting() as setting:
        url = await setting.emulator()
        server = await setting.server()
        poll = {"HEADGATE_POLL_MIN_SECONDS": str(POLL_MIN_MS / 1000)}
        await setting.worker(url, core=OTHER, **poll, **_QUIET)
        port = server.addresses["port"]
        await _backfill(url, port, "lanes-known", [0.5] * (2 * LANES), [0])
        clean = await _backfill(url, port, "lanes-clean", took, [])
        return clean, await _backfill(url, port, "lanes-failed", slow, [count // 5, count // 3, count // 2 + 5])


async def _backfill(url: str, port: str, name: str, seconds: Sequence[float], fails: Sequence[int]) -> _Measured:
    days = [FIRST + timedelta(days=n) for n in range(len(seconds))]
    faults = [
        {"kind": "run_for", "biz_date": str(day), "name": name, "seconds": took, "count": 1}
        for day, took in zip(days, seconds, strict=True)
    ]
    faults += [{"kind": "fail_run", "biz_date": str(days[n]), "name": name, "count": 1} for n in fails]
    address = f"{url}/_admin/faults"
    async with aiohttp.ClientSession() as session, session.post(address, json={"faults": faults}) as reply:
        reply.raise_for_status()
    await submit_one(port, _request(name, days).SerializeToString())
    job = await _ended(port, f"jobs/{name}")
    return await _against_the_ideal(url, job, [int(took * 1000) for took in seconds], len(fails))


def _request(name: str, days: Sequence[date]) -> pb.CreateBackfillRequest:
    properties = pb.DefaultRunProperties(mode=pb.BACKFILL_MODE_ALL_DOWNSTREAM, parallelism=LANES, root_task_ids=[7])
    spec = pb.BackfillSpec(
        project_id=1,
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=1,
        name=name,
        biz_dates=dates.to_ranges(days),
        default_run_properties=properties,
        on_failure=pb.ON_FAILURE_CONTINUE,
        max_created_ahead=AHEAD,
    )
    return pb.CreateBackfillRequest(job_id=name, spec=spec)


async def _ended(port: str, name: str) -> pb.Job:
    job = pb.Job()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def is_over() -> bool:
            job.ParseFromString(await ask(channel, GET_JOB, pb.GetJobRequest(name=name).SerializeToString()))
            return job.state in JOB_TERMINAL

        await until(is_over, PATIENCE_SECONDS)
    if job.state not in JOB_TERMINAL:
        raise CannotMeasure(f"{name} was not over within {PATIENCE_SECONDS:g} s")
    return job


async def _against_the_ideal(url: str, job: pb.Job, took: Sequence[int], failures: int) -> _Measured:
    """By the emulator's own times: what upstream tells is whole seconds."""
    instances, ledger = (await _told_by(url, "instances"))["instances"], (await _told_by(url, "ledger"))["rows"]
    lived = of_emulator([run.workflow_instance_id for run in job.runs], instances, ledger)
    policy = Policy(poll_min_ms=POLL_MIN_MS)
    least = least_calls(Work(took, LANES, AHEAD, polled(took, policy), failures))
    spent = job.usage.upstream_reads + job.usage.upstream_writes
    return _Measured(span_ms(lived) / ideal_ms(took, LANES), spent / least.total, idle_time(lived))


async def _told_by(url: str, what: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/_admin/{what}") as reply:
        return await reply.json()
