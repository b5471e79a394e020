"""P3 and P10: how soon a worker acts, and what asking the cloud through a worker adds to asking it."""

from __future__ import annotations

import asyncio
import time

import grpc
from bench.chaos.waiting import until, until_true
from bench.figures import CannotMeasure, Figure, Found, at_most, quantile, ratio
from bench.load.bodies import submit
from bench.naive.server import SUBMIT
from bench.rows.seeding import ask, submit_one
from bench.setting import CREATE, GET_INSTANCE, GET_JOB, OTHER, Setting, Size
from bench.wire import Wire

from headgate import pb
from headgate_worker.core.model.calls import GetInstance, Reply
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings

PATIENCE_SECONDS = 15.0
"""How long one job may take until its call is seen."""


PAUSE_SECONDS = 0.15
"""Between two submits, so that nothing else goes on."""


async def p3(size: Size) -> Found:
    """From the acknowledgement of a submit until its first request is on the wire to the cloud, on an idle system."""
    count = 4 if size.quick else 8
    async with Setting() as setting, Wire(await setting.emulator()) as wire:
        server = await setting.server()
        await setting.worker(wire.url, core=OTHER)
        naive = await setting.naive(f"127.0.0.1:{wire.port}")
        ours: list[list[float]] = []
        theirs: list[list[float]] = []
        async with (
            grpc.aio.insecure_channel(f"127.0.0.1:{server.addresses['port']}") as channel,
            grpc.aio.insecure_channel(f"127.0.0.1:{naive.addresses['port']}") as other,
        ):
            for number in range(size.runs + 1):
                words = [f"bench-p3-{number * count + one:08d}" for one in range(count)]
                bodies = [submit(number * count + one, "p3") for one in range(count)]
                ours.append([await _delay(wire, channel, CREATE, *one) for one in zip(bodies, words, strict=True)])
                theirs.append([await _delay(wire, other, SUBMIT, f"n{word}".encode(), f"n{word}") for word in words])
    ours, theirs = ours[1:], theirs[1:]  # in the first round everything is done for the first time
    middle, theirs_middle = [quantile(one, 0.5) * 1000 for one in ours], [quantile(one, 0.5) * 1000 for one in theirs]
    return Found(
        (
            Figure("submit acknowledged to first request, p50", "ms", tuple(middle), at_most(5, 3)),
            ratio("the same / the one-day version on default ARQ", middle, theirs_middle, at_most(1 / 50)),
            Figure("the one-day version, p50", "ms", tuple(theirs_middle)),
            Figure(
                "submit acknowledged to first request, slowest of a round", "ms", tuple(max(o) * 1000 for o in ours)
            ),
        ),
        (f"rounds of {count} submits of each, one at a time, {PAUSE_SECONDS} s apart",),
    )


async def _delay(wire: Wire, channel: grpc.aio.Channel, path: str, body: bytes, word: str) -> float:
    wire.expect(word)
    await ask(channel, path, body)
    answered = time.monotonic()
    if await until_true(lambda: wire.seen(word) > 0, PATIENCE_SECONDS, pause=0.002) > PATIENCE_SECONDS:
        raise CannotMeasure(f"no request was seen within {PATIENCE_SECONDS:g} s")
    await asyncio.sleep(PAUSE_SECONDS)
    return max(0.0, wire.seen(word) - answered)


async def p10(size: Size) -> Found:
    """The median time of a fresh read through server and worker, less that of the same call straight to the cloud."""
    async with Setting() as setting:
        url = await setting.emulator(HEADGATE_EMULATOR_CREATE_SECONDS="0.1")
        server = await setting.server()
        await setting.worker(url, core=OTHER)
        id_ = await _an_instance(server.addresses["port"])
        request = pb.GetWorkflowInstanceRequest(id=id_).SerializeToString().hex()
        through, straight = [], []
        for _ in range(size.runs):
            one = {"in_flight": 1, "connections": 1, "seconds": size.seconds}
            through.append((await setting.load(server, GET_INSTANCE, request, **one)).p50_ms)
            straight.append(await _straight(url, id_, size.seconds))
    added = tuple(a - b for a, b in zip(through, straight, strict=True))
    return Found(
        (
            Figure("fresh GetWorkflowInstance, added p50", "ms", added, at_most(5, 3)),
            Figure("through a worker, p50", "ms", tuple(through)),
            Figure("straight to the emulator with the same adapter, p50", "ms", tuple(straight)),
        )
    )


async def _an_instance(port: str) -> int:
    name = await submit_one(port, submit(1, "p10"))
    found: list[int] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def created() -> bool:
            raw = await ask(channel, GET_JOB, pb.GetJobRequest(name=name).SerializeToString())
            found.extend(run.workflow_instance_id for run in pb.Job.FromString(raw).runs if run.workflow_instance_id)
            return bool(found)

        await until(created, PATIENCE_SECONDS)
    if not found:
        raise CannotMeasure("no instance was created")
    return found[0]


async def _straight(url: str, id_: int, seconds: float) -> float:
    settings = DataWorksSettings(endpoint=url, credentials=Credentials("testid", "testsecret"))
    times: list[float] = []
    async with DataWorks(settings) as cloud:
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            began = time.perf_counter()
            outcome = await cloud.call(GetInstance(id_), timeout_seconds=10)
            times.append(time.perf_counter() - began)
            if not isinstance(outcome, Reply):
                raise CannotMeasure(f"the emulator did not answer: {outcome.code}")
    return quantile(times, 0.5) * 1000
