"""Watchers that hang up at random, and servers that come and go meanwhile: what they get in all is the log."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from bench.chaos.judging import judge
from bench.chaos.results import Report, at_least, none
from bench.chaos.stage import PATIENT, Plan, Stage, Trial
from bench.chaos.submits import Acks, SubmitOutcome, mixed
from bench.chaos.watches import Record

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass(frozen=True, slots=True)
class Disconnects:
    """Size of `watcher-disconnects`."""

    jobs: int = 1_000
    per_second: float = 20.0
    disconnects: int = 10_000
    restart_every: float = 8.0


class Leaver:
    """A raw watcher of one job that hangs up at random. It counts on nothing but the number of the next revision."""

    def __init__(self, stub: JobServiceStub, record: Record, rng: random.Random, times: int) -> None:
        self._stub = stub
        self._rng = rng
        self._times = times
        self._incarnation = ""
        self.record = record
        self.left = 0
        self.strayed = 0

    async def follow(self) -> None:
        """Watch until the job's end arrived, after at least so many hang-ups."""
        while not self.record.ended:
            try:
                await self._once()
            except grpc.aio.AioRpcError as error:
                self.record.causes[error.code().name] += 1
                await asyncio.sleep(0.1 + 0.2 * self._rng.random())

    async def _once(self) -> None:
        request = pb.WatchJobRequest(
            name=f"jobs/{self.record.job_id}", start_revision=self.record.last + 1, incarnation=self._incarnation
        )
        call: Any = self._stub.WatchJob(request)
        patience = self._rng.choice((1, 1, 2, 3))
        try:
            async with asyncio.timeout(self._rng.uniform(0.05, 1.5)):
                while patience and not self.record.ended:
                    message = await call.read()
                    if message is grpc.aio.EOF:
                        return
                    patience -= self._take(message)
        except TimeoutError:
            pass  # this watcher has waited long enough; it comes back
        self.left += not self.record.ended
        call.cancel()

    def _take(self, message: pb.WatchJobResponse) -> int:
        kind = message.WhichOneof("payload")
        if kind == "event":
            self.strayed += message.revision != self.record.last + 1
            self.record.take(message.revision, message.event)
            self._incarnation = message.incarnation
        if kind == "end" and message.end.reason == pb.STREAM_END_REASON_JOB_TERMINAL:
            self.record.ended = self.left >= self._times
        return 1


async def watcher_disconnects(trial: Trial, size: Disconnects | None = None) -> Report:
    """One raw watcher for each job, each hanging up ten times and more, with server restarts in between."""
    size = size or Disconnects()
    acks = Acks()
    leavers: list[Leaver] = []
    tasks: list[asyncio.Task[None]] = []
    async with Stage(Plan(workers=2)) as stage:
        client = await stage.client(PATIENT)
        channels = [grpc.aio.insecure_channel(stage.target, options=OPTIONS) for _ in range(8)]

        def leave(job_id: str) -> None:
            stub = JobServiceStub(channels[len(leavers) % len(channels)])
            rng = random.Random(trial.rng.random())
            leavers.append(Leaver(stub, Record(job_id), rng, -(-size.disconnects // size.jobs)))
            tasks.append(asyncio.create_task(leavers[-1].follow()))

        submitting = asyncio.create_task(
            acks.steadily(
                client,
                mixed,
                count=size.jobs,
                per_second=size.per_second,
                then=lambda a: leave(a.job_id) if a.told is SubmitOutcome.ACKNOWLEDGED else None,
            )
        )
        restarts = await _restart_until(trial, stage, size, submitting, tasks, leavers)
        await asyncio.wait(tasks, timeout=60.0)
        for task in tasks:
            task.cancel()
        judged = await judge(stage, acks.ids(), [leaver.record for leaver in leavers])
        for channel in channels:
            await channel.close()
    checks = [
        none("submits that failed after the client's retries", len(acks.all) - len(acks.ids())),
        at_least("disconnects", size.disconnects, sum(leaver.left for leaver in leavers)),
        none("messages with another revision than the next", sum(leaver.strayed for leaver in leavers)),
        *judged.checks,
    ]
    figures = {"server restarts": restarts, **judged.figures}
    return Report(f"{size.jobs} jobs at {size.per_second:g}/s, one raw watcher each", tuple(checks), figures)


async def _restart_until(
    trial: Trial,
    stage: Stage,
    size: Disconnects,
    submitting: asyncio.Task[None],
    tasks: Sequence[asyncio.Task[None]],
    leavers: Sequence[Leaver],
) -> int:
    """Restart the server, by turns with SIGKILL and SIGTERM, until every submit was answered and watched to its end."""
    restarts, until = 0, time.monotonic() + 180.0
    while not (submitting.done() and all(task.done() for task in tasks)) and time.monotonic() < until:
        await asyncio.wait([submitting, *tasks], timeout=size.restart_every, return_when=asyncio.ALL_COMPLETED)
        server = stage.servers[0]
        await (server.kill() if restarts % 2 else server.stop())
        await stage.restart_server(server)
        restarts += 1
        trial.say(f"{restarts} restarts, {sum(leaver.left for leaver in leavers)} disconnects")
    await submitting
    return restarts
