"""Thousands of idle watchers and hundreds of stalled ones: their cost, and their effect on live ones."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from bench.chaos.results import Report, at_least, at_most, equal, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import adhoc
from bench.chaos.waiting import until, until_true

from headgate import pb
from headgate.job import event_log
from headgate.store import commit, keys
from headgate.v1.job_service_pb2_grpc import JobServiceStub

TEXT = "x" * 1024
"""Message of an event, long enough that stalled streams fill their windows soon."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Size of `idle-watchers`."""

    idle: int = 5_000
    stalled: int = 500
    live: int = 50
    per_second: float = 20.0
    seconds: float = 15.0
    kilobytes: float = 64.0
    noise: float = 2.0


class Writer:
    """Writes events into a job's log at a rate, through the commit script, as a worker does."""

    def __init__(self, stage: Stage, job_id: str) -> None:
        self._redis = stage.truth.redis
        self._job_id = job_id
        self.written: dict[int, float] = {}

    async def write(self, per_second: float, seconds: float) -> None:
        """Write for so long; `written` has the time of each revision's commit."""
        job = event_log.replay(map(pb.JobEvent.FromString, await self._redis.lrange(keys.log(self._job_id), 0, -1)))
        began = time.monotonic()
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
            job = await self._commit(job)

    async def _commit(self, job: pb.Job) -> pb.Job:
        event = pb.JobEvent(revision=job.revision + 1, type=pb.EVENT_TYPE_RUN_CHANGED, state=job.state, message=TEXT)
        event.event_time.GetCurrentTime()
        after = event_log.fold(job, event)
        change = commit.Commit(job.state, after, job.revision, (event.SerializeToString(deterministic=True),))
        names, arguments = commit.script_keys(change), commit.script_arguments(change)
        self.written[after.revision] = time.monotonic()
        answer = await self._redis.eval(commit.SCRIPT, len(names), *names, *arguments)
        if not isinstance(commit.parse_answer(answer), commit.Committed):
            raise RuntimeError("somebody else writes to the job of this experiment")
        return after


class Live:
    """Watchers that read everything, and note when it came."""

    def __init__(self, target: str, job_id: str, count: int) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        stub = JobServiceStub(self._channel)
        self._calls = [stub.WatchJob(pb.WatchJobRequest(name=f"jobs/{job_id}")) for _ in range(count)]
        self._tasks = [asyncio.create_task(self._read(call)) for call in self._calls]
        self.came: list[tuple[int, float]] = []
        self.gaps = 0

    async def _read(self, call: grpc.aio.UnaryStreamCall[pb.WatchJobRequest, pb.WatchJobResponse]) -> None:
        last = 0
        async for message in call:
            if message.HasField("event"):
                self.gaps += last > 0 and message.revision != last + 1
                self.came.append((message.revision, time.monotonic()))
            last = message.revision

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._channel.close()

    def delays(self, written: dict[int, float]) -> list[float]:
        """Seconds from commit to arrival, of the events in `written`."""
        return [at - written[revision] for revision, at in self.came if revision in written]


async def idle_watchers(trial: Trial, size: Idle | None = None) -> Report:
    """Measure live watchers alone, beside thousands of idle and hundreds of stalled ones, and alone again."""
    size = size or Idle()
    async with Stage(Plan(workers=0)) as stage:
        client = await stage.client()
        for word in ("quiet", "busy"):
            await client.jobs.submit(adhoc(word))
        target, server = stage.servers[0].addresses["grpc"], stage.servers[0]
        live = Live(target, "busy", size.live)
        alone = await _measure(stage, live, size)
        before = _rss(server.pid)
        trial.say(f"alone: p99 {1000 * alone[0.99]:.1f} ms, server {before / 1024:.0f} MB")
        crowd = await stage.crowd(target, "quiet", str(size.idle), "busy", str(size.stalled))
        opened = _rss(server.pid)
        await _measure(stage, live, size)  # fills the windows of the stalled streams
        beside = await _measure(stage, live, size)
        after = _rss(server.pid)
        trial.say(f"beside the crowd: p99 {1000 * beside[0.99]:.1f} ms, server {after / 1024:.0f} MB")
        await crowd.stop()
        await until(lambda: _are_open(stage, size.live), 20.0)
        freed = await stage.open_watches(server)
        again = await _measure(stage, live, size)  # what else runs on the machine changes meanwhile
        await live.close()
        exits = stage.exits()
    streams = size.idle + size.stalled
    ratio = beside[0.99] / max(alone[0.99], again[0.99])
    checks = [
        equal("streams opened", streams, int(crowd.addresses["streams"])),
        at_most("RSS per idle or stalled watcher, kB", size.kilobytes, (opened - before) / streams),
        at_most("RSS growth with stalled watchers and 600 events, MB", 50.0, (after - opened) / 1024),
        at_most("p99 of live watchers, ratio to the worse of two runs without the crowd", size.noise, ratio),
        none("gaps seen by live watchers", live.gaps),
        at_least("live events measured", size.live * size.per_second * size.seconds, beside[-1]),
        equal("watches open after the crowd has gone", size.live, freed),
        exits,
    ]
    figures = {
        "p50 alone, ms": 1000 * alone[0.5],
        "p99 alone, ms": 1000 * alone[0.99],
        "p99 alone again, ms": 1000 * again[0.99],
        "p50 beside, ms": 1000 * beside[0.5],
        "p99 beside, ms": 1000 * beside[0.99],
        "server RSS, MB": after / 1024,
    }
    load = f"{size.idle} idle, {size.stalled} stalled, {size.live} live watchers; {size.per_second:g} events of 1 kB/s"
    return Report(load, tuple(checks), figures)


async def _measure(stage: Stage, live: Live, size: Idle) -> dict[float, float]:
    writer = Writer(stage, "busy")
    await writer.write(size.per_second, size.seconds)
    wanted = len(writer.written) * size.live
    await until_true(lambda: len(live.delays(writer.written)) >= wanted, 10.0)
    delays = live.delays(writer.written)
    return {0.5: quantile(delays, 0.5), 0.99: quantile(delays, 0.99), -1: len(delays)}


def _rss(pid: int) -> int:
    """Resident memory of a process in kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


async def _are_open(stage: Stage, streams: int) -> bool:
    return await stage.open_watches(stage.servers[0]) == streams
