"""Callers that harm: submits hung up in the middle, and a thousand watchers that come back at once."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import grpc
from bench.chaos.judging import judge
from bench.chaos.process import Process
from bench.chaos.results import Report, at_least, at_most, equal, none
from bench.chaos.stage import PATIENT, Plan, Stage, Trial
from bench.chaos.submits import Acks, adhoc, backfill
from bench.chaos.waiting import until, until_true
from bench.chaos.watches import WatcherCrowd

from headgate.v1.backfill_service_pb2_grpc import BackfillServiceStub


@dataclass(frozen=True, slots=True)
class Hangups:
    """Size of `cancelled-submits`."""

    submits: int = 1_000
    longest: float = 0.012
    at_a_time: int = 8


async def cancelled_submits(trial: Trial, size: Hangups | None = None) -> Report:
    """Hang up at a random moment of each submit, then repeat it with the same request_id."""
    size = size or Hangups()
    acks = Acks()
    async with Stage(Plan(workers=2)) as stage:
        async with grpc.aio.insecure_channel(stage.servers[0].addresses["grpc"]) as channel:
            stub = BackfillServiceStub(channel)
            answered = await _hang_up(stub, trial.rng, size)
        left = await stage.truth.jobs()
        torn = sum(not job.events or job.revision < 1 for job in left.values())
        trial.say(f"{answered} were answered before they were hung up, {len(left)} jobs exist")
        client = await stage.client()
        for number in range(size.submits):
            await acks.submit(client, backfill(f"h{number}", 1))
        judged = await judge(stage, acks.ids(), seconds=180.0)
        known = len(await stage.truth.job_ids())
    checks = [
        at_least("submits hung up before their answer", size.submits / 5, size.submits - answered),
        at_least("of all, jobs that exist all the same", answered, len(left)),
        none("jobs without their first event", torn),
        equal("repeats acknowledged", size.submits, len(acks.ids())),
        equal("jobs in the end", size.submits, known),
        *judged.checks,
    ]
    figures = {"answered before": answered, "jobs before the repeats": len(left), **judged.figures}
    return Report(f"{size.submits} submits, hung up within {1000 * size.longest:g} ms", tuple(checks), figures)


async def _hang_up(stub: BackfillServiceStub, rng: random.Random, size: Hangups) -> int:
    """Send every submit and hang up; how many were answered first."""
    room = asyncio.Semaphore(size.at_a_time)

    async def one(number: int) -> bool:
        async with room:
            call: Any = stub.CreateBackfill(backfill(f"h{number}", 1))
            await asyncio.wait([asyncio.ensure_future(call.code())], timeout=rng.uniform(0.0, size.longest))
            answered = bool(call.done())
            call.cancel()
            return answered

    return sum(await asyncio.gather(*(one(number) for number in range(size.submits))))


@dataclass(frozen=True, slots=True)
class Storm:
    """Size of `reconnect-storm`."""

    watchers: int = 1_000
    jobs: int = 100
    clients: int = 16


async def reconnect_storm(trial: Trial, size: Storm | None = None) -> Report:
    """Kill the only server under a thousand open watches, and start it again."""
    size = size or Storm()
    acks = Acks()
    async with Stage(Plan(workers=1, run_seconds=20.0)) as stage:
        clients = [await stage.client(PATIENT) for _ in range(size.clients)]
        crowd = WatcherCrowd(clients, at_a_time=size.watchers)
        await acks.steadily(clients[0], lambda n: adhoc(f"c{n}"), count=size.jobs, per_second=50.0)
        for number in range(size.watchers):
            crowd.watch(f"c{number % size.jobs}")
        await until_true(lambda: all(record.revisions for record in crowd.records), 30.0)
        victim = stage.servers[0]
        await victim.kill()
        back = await stage.restart_server(victim)
        opened = await until(lambda: _open(stage, back, size.watchers), 60.0)
        trial.say(f"the server has every stream again, {opened:.1f} s after it came back")
        await stage.truth.settle(acks.ids(), 90.0)
        await crowd.finish(30.0)
        judged = await judge(stage, acks.ids(), crowd.records)
    lost = sum(bool(record.causes) for record in crowd.records)
    checks = [
        at_least("streams that were lost", size.watchers, lost),
        at_most("server back to every stream open again, s", 10.0, opened),
        none("watches that failed for good", sum(bool(record.error) for record in crowd.records)),
        *judged.checks,
    ]
    words = f"{size.watchers} watchers of {size.jobs} jobs, one server"
    return Report(words, tuple(checks), judged.figures)


async def _open(stage: Stage, server: Process, streams: int) -> bool:
    return await stage.open_watches(server) >= streams
