"""Extreme deadlines: no time at all, a millisecond, a lifetime, none."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from bench.chaos.judging import judge
from bench.chaos.results import Report, at_least, at_most, equal, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import Acks, backfill

from headgate import pb
from headgate.v1.backfill_service_pb2_grpc import BackfillServiceStub
from headgate.v1.job_service_pb2_grpc import JobServiceStub

TIMEOUTS: Final = (-1.0, 0.0, 0.000_001, 0.001, 0.001, 0.002, 0.003, 0.005, 1e9, 1e9, None)
"""Seconds that a call is given; None is no deadline at all."""

ALLOWED: Final = frozenset({"OK", "DEADLINE_EXCEEDED"})


@dataclass(frozen=True, slots=True)
class DeadlineOutcome:
    """What a call came to that was given so many seconds, or no bound."""

    given: float | None
    code: str
    seconds: float

    @property
    def late(self) -> float:
        """Seconds by which the answer came after the deadline."""
        return 0.0 if self.given is None else max(0.0, self.seconds - max(0.0, self.given))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Size of `deadlines`."""

    submits: int = 550
    reads: int = 550
    at_a_time: int = 8
    late: float = 1.0


async def deadlines(trial: Trial, size: Deadlines | None = None) -> Report:
    """Send submits, reads and watches with every kind of deadline, then repeat each submit without one."""
    size = size or Deadlines()
    acks = Acks()
    async with Stage(Plan(workers=2)) as stage:
        target = stage.servers[0].addresses["grpc"]
        submits = await _submits(target, trial.rng, size)
        left = await stage.truth.jobs()
        torn = sum(not job.events or job.revision < 1 for job in left.values())
        client = await stage.client()
        for number in range(size.submits):
            await acks.submit(client, backfill(f"h{number}", 1))
        trial.say(f"{len(left)} of {size.submits} submits had made a job, whatever their callers were told")
        reads = await _reads(target, size)
        judged = await judge(stage, acks.ids(), seconds=180.0)
        known = len(await stage.truth.job_ids())
        freed = await stage.open_watches(stage.servers[0])
    answered = sum(told.code == "OK" for told in submits)
    calls = [*submits, *reads]
    checks = [
        none("calls answered with anything but OK or DEADLINE_EXCEEDED", sum(t.code not in ALLOWED for t in calls)),
        none("calls with all the time in the world that failed", sum(_unhurried(t) and t.code != "OK" for t in calls)),
        at_least("calls that ran out of time", len(calls) / 5, sum(t.code == "DEADLINE_EXCEEDED" for t in calls)),
        at_most("answer after its deadline, most, s", size.late, max(told.late for told in calls)),
        at_least("jobs made, answered or not", answered, len(left)),
        none("jobs without their first event", torn),
        equal("repeats acknowledged", size.submits, len(acks.ids())),
        equal("jobs in the end", size.submits, known),
        equal("watches open in the end", 0, freed),
        *judged.checks,
    ]
    figures = {"submits answered": answered, "jobs before the repeats": len(left), **_codes(calls), **judged.figures}
    return Report(f"{size.submits} submits, {size.reads} reads and watches", tuple(checks), figures)


def _unhurried(told: DeadlineOutcome) -> bool:
    return told.given is None or told.given > 1.0


def _codes(calls: Sequence[DeadlineOutcome]) -> dict[str, int]:
    return {f"calls {code}": number for code, number in sorted(Counter(told.code for told in calls).items())}


async def _submits(target: str, rng: random.Random, size: Deadlines) -> list[DeadlineOutcome]:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = BackfillServiceStub(channel)
        order = [TIMEOUTS[number % len(TIMEOUTS)] for number in range(size.submits)]
        rng.shuffle(order)
        return await _all(
            [(_unary(stub.CreateBackfill), backfill(f"h{number}", 1), given) for number, given in enumerate(order)],
            size,
        )


async def _reads(target: str, size: Deadlines) -> list[DeadlineOutcome]:
    """Reads of a job, waits for its next event, and watches read to their first message."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = JobServiceStub(channel)

        async def watch(request: pb.WatchJobRequest, given: float | None) -> None:
            call: Any = stub.WatchJob(request, timeout=given)
            try:
                await call.read()
            finally:
                call.cancel()

        kinds: tuple[tuple[Send, Any], ...] = (
            (_unary(stub.GetJob), pb.GetJobRequest(name="jobs/h0")),
            (_unary(stub.ListJobEvents), pb.ListJobEventsRequest(name="jobs/h0", start_revision=1)),
            (watch, pb.WatchJobRequest(name="jobs/h0")),
        )
        return await _all(
            [(*kinds[number % 3], TIMEOUTS[number % len(TIMEOUTS)]) for number in range(size.reads)], size
        )


Send = Callable[[Any, float | None], Awaitable[object]]


def _unary(method: Any) -> Send:
    async def send(request: Any, given: float | None) -> object:
        return await method(request, timeout=given)

    return send


async def _all(calls: Sequence[tuple[Send, Any, float | None]], size: Deadlines) -> list[DeadlineOutcome]:
    room = asyncio.Semaphore(size.at_a_time)

    async def one(send: Send, request: Any, given: float | None) -> DeadlineOutcome:
        async with room:
            began = time.monotonic()
            try:
                await send(request, given)
            except grpc.aio.AioRpcError as error:
                return DeadlineOutcome(given, error.code().name, time.monotonic() - began)
            return DeadlineOutcome(given, "OK", time.monotonic() - began)

    return list(await asyncio.gather(*(one(*call) for call in calls)))
