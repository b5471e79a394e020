"""Watchers that are slow, frozen, cut off without a word, or that come and go: their cost, their effect."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from bench.chaos.idle import Live, Writer
from bench.chaos.proxy import Proxy
from bench.chaos.results import Report, at_least, at_most, equal, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import adhoc
from bench.chaos.waiting import until, until_true
from bench.soak.samples import descriptors, rss_mb

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub

NOTICED_SECONDS = 20.0 + 10.0 + 2.0
"""The server's keepalive, its wait for the answer to a ping, and a little."""

OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))


class SlowWatchers:
    """Watchers of a job that read a message now and then, until they have to hurry."""

    def __init__(self, target: str, job_id: str, count: int, pause: float) -> None:
        self._channels = [grpc.aio.insecure_channel(target, options=OWN_CONNECTION) for _ in range(count)]
        self._pause = pause
        self._hurry = asyncio.Event()
        self.last = [0] * count
        self.gaps = 0
        request = pb.WatchJobRequest(name=f"jobs/{job_id}")
        calls = [JobServiceStub(channel).WatchJob(request) for channel in self._channels]
        self._tasks = [asyncio.create_task(self._read(number, call)) for number, call in enumerate(calls)]

    async def _read(self, number: int, call: Any) -> None:
        async for message in call:
            if message.HasField("event"):
                self.gaps += message.revision != self.last[number] + 1
            self.last[number] = message.revision
            if not self._hurry.is_set():
                await asyncio.wait([asyncio.ensure_future(self._hurry.wait())], timeout=self._pause)

    def hurry(self) -> None:
        """From now on read all there is."""
        self._hurry.set()

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(channel.close() for channel in self._channels))


@dataclass(frozen=True, slots=True)
class Hampered:
    """Size of `slow-watchers`."""

    live: int = 50
    slow: int = 100
    frozen: int = 50
    pause: float = 1.0
    per_second: float = 100.0
    seconds: float = 20.0
    lag: float = 0.5
    megabytes: float = 50.0


async def slow_watchers(trial: Trial, size: Hampered | None = None) -> Report:
    """Write events that live watchers read, that slow ones read one a second of, and a frozen client none."""
    size = size or Hampered()
    async with Stage(Plan(workers=0)) as stage:
        client, server = await stage.client(), stage.servers[0]
        for word in ("busy", "quiet"):
            await client.jobs.submit(adhoc(word))
        target = server.addresses["grpc"]
        live, slow = Live(target, "busy", size.live), SlowWatchers(target, "busy", size.slow, size.pause)
        crowd = await stage.crowd(target, "quiet", "0", "busy", str(size.frozen))
        await until(lambda: _are_open(stage, size.live + size.slow + size.frozen), 20.0)
        before, began = rss_mb(server.pid), time.monotonic()
        crowd.pause()
        writer = Writer(stage, "busy")
        await writer.write(size.per_second, size.seconds)
        written, behind = max(writer.written), max(writer.written) - min(slow.last)
        growth = rss_mb(server.pid) - before
        trial.say(
            f"{len(writer.written)} events written, the slowest is {behind} behind, server grew by {growth:.1f} MB"
        )
        slow.hurry()
        caught_up = await until_true(lambda: min(slow.last) >= written, 30.0)
        left = began + NOTICED_SECONDS - time.monotonic()
        await until(lambda: _are_open(stage, size.live + size.slow), left)
        still_open = await stage.open_watches(server)
        crowd.go_on()
        delays = live.delays(writer.written)
        await asyncio.gather(live.close(), slow.close())
        exits = stage.exits()
    checks = [
        at_least("live events measured", 0.99 * size.live * len(writer.written), len(delays)),
        at_most("lag of live watchers, p99, s", size.lag, quantile(delays, 0.99)),
        at_least("events that the slowest was behind", size.per_second, behind),
        at_most("growth of the server, MB", size.megabytes, growth),
        at_most("slow watchers told to hurry to the last of them at the end, s", 20.0, caught_up),
        none("gaps seen by live and slow watchers", live.gaps + slow.gaps),
        equal("streams open once the frozen client was given up", size.live + size.slow, still_open),
        exits,
    ]
    words = (
        f"{size.live} live, {size.slow} slow and {size.frozen} frozen watchers; {size.per_second:g} events of 1 kB/s"
    )
    return Report(words, tuple(checks), {"lag p50, s": quantile(delays, 0.5)})


async def _are_open(stage: Stage, streams: int) -> bool:
    return await stage.open_watches(stage.servers[0]) == streams


@dataclass(frozen=True, slots=True)
class Blackhole:
    """Size of `blackholed-client`. Half of the clients watch a job in which nothing happens."""

    clients: int = 20
    live: int = 10
    per_second: float = 5.0


async def blackholed_client(trial: Trial, size: Blackhole | None = None) -> Report:
    """Swallow every byte between some of the watchers and the server, without closing a connection."""
    size = size or Blackhole()
    async with Stage(Plan(workers=0)) as stage:
        client, server = await stage.client(), stage.servers[0]
        for word in ("busy", "quiet"):
            await client.jobs.submit(adhoc(word))
        live, port = Live(server.addresses["grpc"], "busy", size.live), int(server.addresses["grpc"].split(":")[1])
        async with Proxy(port) as hole:
            crowd = await stage.crowd(
                f"127.0.0.1:{hole.port}", "quiet", str(size.clients // 2), "busy", str(size.clients // 2)
            )
            await until(lambda: _are_open(stage, size.live + size.clients), 20.0)
            fds = descriptors(server.pid)
            hole.blackhole, began = True, time.monotonic()
            writer = Writer(stage, "busy")
            writing = asyncio.create_task(writer.write(size.per_second, NOTICED_SECONDS))
            await until(lambda: _are_open(stage, size.live), 2 * NOTICED_SECONDS)
            freed = time.monotonic() - began
            trial.say(f"the streams of the cut-off clients were freed after {freed:.1f} s")
            closed = fds - descriptors(server.pid)
            await writing
            await until_true(lambda: len(live.came) >= size.live * len(writer.written), 5.0)
            await crowd.kill()
        delays = live.delays(writer.written)
        await live.close()
        exits = stage.exits()
    checks = [
        at_most("cut off to every stream freed, s", NOTICED_SECONDS, freed),
        at_least("descriptors closed with them", 1, closed),
        at_least("live events measured", size.live * len(writer.written), len(delays)),
        none("gaps seen by live watchers", live.gaps),
        at_most("lag of live watchers, p99, s", 0.5, quantile(delays, 0.99)),
        exits,
    ]
    words = f"{size.clients} watchers behind the hole, {size.live} live ones, {size.per_second:g} events/s"
    return Report(words, tuple(checks), {"keepalive, wait for its answer and 2 s, s": NOTICED_SECONDS})


@dataclass(frozen=True, slots=True)
class Churn:
    """Size of `watch-churn`. Seconds."""

    per_second: float = 400.0
    warm_up: float = 5.0
    seconds: float = 25.0
    channels: int = 10
    megabytes: float = 10.0


async def watch_churn(trial: Trial, size: Churn | None = None) -> Report:
    """Open watches and cancel them, many a second, half of them within 3 ms, answered or not."""
    size = size or Churn()
    async with Stage(Plan(workers=0)) as stage:
        client, server = await stage.client(), stage.servers[0]
        await client.jobs.submit(adhoc("busy"))
        channels = [
            grpc.aio.insecure_channel(server.addresses["grpc"], options=OWN_CONNECTION) for _ in range(size.channels)
        ]
        await _churn(channels, trial.rng, size.per_second, size.warm_up)
        before, fds = rss_mb(server.pid), descriptors(server.pid)
        answered = await _churn(channels, trial.rng, size.per_second, size.seconds)
        empty = await until(lambda: _are_open(stage, 0), 10.0)
        growth, more = rss_mb(server.pid) - before, descriptors(server.pid) - fds
        trial.say(f"{answered} watches were answered; the server grew by {growth:.1f} MB")
        for channel in channels:
            await channel.close()
        exits = stage.exits()
    opened = int(size.per_second * size.seconds)
    checks = [
        at_least("watches that were answered before they were cancelled", opened / 4, answered),
        at_least("watches that were cancelled before they were answered", opened / 20, opened - answered),
        at_most("growth of the server, MB", size.megabytes, growth),
        at_most("descriptors more than before", 2, more),
        at_most("last cancel to no open stream, s", 2.0, empty),
        exits,
    ]
    words = f"{opened} watches, {size.per_second:g} opened and cancelled a second"
    return Report(words, tuple(checks), {"server RSS before, MB": before})


async def _churn(channels: Sequence[grpc.aio.Channel], rng: random.Random, per_second: float, seconds: float) -> int:
    """Open and cancel at a rate; how many were answered first."""
    began, answered = time.monotonic(), 0
    stubs = [JobServiceStub(channel) for channel in channels]

    async def one(number: int) -> None:
        nonlocal answered
        call: Any = stubs[number % len(stubs)].WatchJob(pb.WatchJobRequest(name="jobs/busy"))
        reading = asyncio.ensure_future(call.read())
        await asyncio.wait([reading], timeout=5.0 if number % 2 else rng.choice((0.0, 0.001, 0.003)))
        answered += reading.done() and not reading.cancelled()
        call.cancel()
        await asyncio.wait([reading])

    async with asyncio.TaskGroup() as group:
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
            group.create_task(one(number))
    return answered
