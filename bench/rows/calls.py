"""P1, P2 and P11: the cost of a unary call beside a bare grpc.aio echo, with the same client and the same cores."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.chaos.process import Process
from bench.figures import Figure, Found, Goal, at_least, at_most, ratio
from bench.floor.echo import PATH as ECHO
from bench.floor.lua import round_trips
from bench.load.bodies import submit
from bench.rows.seeding import put_observation, submit_one
from bench.setting import CREATE, GET_INSTANCE, GET_JOB, LoadResult, Setting, Size

from headgate import pb

GENERATOR = "the load generator is a lean HTTP/2 client in a process of its own, on the core of Redis"

Side = tuple[Process, str, str]
"""A server, the method that is called, and what is sent."""


async def in_turn(setting: Setting, size: Size, *sides: Side, **load: int) -> list[list[LoadResult]]:
    """Load each side in turn, as often as the size says; what each saw."""
    seen: list[list[LoadResult]] = [[] for _ in sides]
    for _ in range(size.runs):
        for side, (server, path, kind) in zip(seen, sides, strict=True):
            side.append(await setting.load(server, path, kind, seconds=size.seconds, **load))
    return seen


def rates(what: str, ours: Sequence[LoadResult], theirs: Sequence[LoadResult], goal: Goal | None = None) -> Figure:
    """Calls per second of ours over theirs."""
    return ratio(what, [seen.rate for seen in ours], [seen.rate for seen in theirs], goal)


def cpu(what: str, seen: Sequence[LoadResult]) -> Figure:
    """CPU of the server per call: what hardly moves when other work shares the machine."""
    return Figure(f"CPU of the server per {what}", "us", tuple(load.cpu_us for load in seen))


async def p1(size: Size) -> Found:
    """Submits per second of one server process against echoes."""
    async with Setting() as setting:
        server, echo = await setting.server(), await setting.floor("bench.floor.echo")
        plain = await setting.floor("bench.floor.echo", "--asyncio")
        sides = ((server, CREATE, "submit"), (echo, ECHO, "payload"), (plain, ECHO, "payload"))
        ours, theirs, slower = await in_turn(setting, size, *sides)
    return Found(
        (
            rates("durable submits per second / echoes (uvloop, bytes)", ours, theirs, at_least(0.60, 0.75)),
            rates("durable submits per second / echoes (asyncio, bytes)", ours, slower),
            Figure("durable submits", "/s", tuple(seen.rate for seen in ours)),
            Figure("echoes on uvloop", "/s", tuple(seen.rate for seen in theirs)),
            cpu("submit", ours),
            cpu("echo on uvloop", theirs),
            Figure("load generator's share of a core", "%", tuple(seen.own_cpu * 100 for seen in theirs)),
        ),
        (GENERATOR, "64 in flight on 4 connections"),
    )


async def p2(size: Size) -> Found:
    """The median time of a submit against an echo and one round trip of the script together."""
    async with Setting() as setting:
        server, echo = await setting.server(), await setting.floor("bench.floor.echo")
        ours, theirs, scripts = [], [], []
        for _ in range(size.runs):
            one = {"in_flight": 1, "connections": 1, "seconds": size.seconds}
            ours.append((await setting.load(server, CREATE, "submit", **one)).p50_ms)
            floor = await setting.load(echo, ECHO, "payload", **one)
            scripts.append(await round_trips(setting, seconds=size.seconds / 2))
            theirs.append(floor.p50_ms + scripts[-1])
    return Found(
        (
            ratio("p50 of a submit / (p50 of an echo + p50 of the script)", ours, theirs, at_most(1.5, 1.25)),
            Figure("p50 of a submit", "ms", tuple(ours)),
            Figure("p50 of an echo and the script", "ms", tuple(theirs)),
            Figure("p50 of the script alone, redis-py", "ms", tuple(scripts)),
        ),
        (GENERATOR, "1 in flight"),
    )


async def p11(size: Size) -> Found:
    """Cached reads and GetJob per second against echoes."""
    async with Setting() as setting:
        server, echo = await setting.server(), await setting.floor("bench.floor.echo")
        job = await submit_one(server.addresses["port"], submit(1, "p11"))
        get_job = pb.GetJobRequest(name=job).SerializeToString().hex()
        cached = (await put_observation(setting, time.time())).SerializeToString().hex()
        sides = ((server, GET_JOB, get_job), (echo, ECHO, "payload"), (server, GET_INSTANCE, cached))
        jobs, theirs, instances = await in_turn(setting, size, *sides)
    goal = at_least(0.7, 0.85)
    return Found(
        (
            rates("GetJob per second / echoes", jobs, theirs, goal),
            rates("GetWorkflowInstance from cache per second / echoes", instances, theirs, goal),
            cpu("GetJob", jobs),
            cpu("GetWorkflowInstance", instances),
            cpu("echo", theirs),
        ),
        (GENERATOR, "64 in flight on 4 connections"),
    )
