"""The faults of a long run: each begins, lasts for seconds and is healed before it returns.

The first server and the first worker are never ended, so that what grows in a process can be seen over the whole run.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from bench.chaos.stage import Stage
from bench.chaos.upstream_faults import lost_write, spoiling, trouble

SECONDS: Final = 5.0
"""How long what can last does."""

Fault = Callable[[Stage, random.Random], Awaitable[None]]


async def _kill_worker(stage: Stage, rng: random.Random) -> None:
    await stage.kill_worker(rng.choice(stage.workers[1:]))
    await stage.add_worker()


async def _pause_worker(stage: Stage, rng: random.Random) -> None:
    victim = rng.choice(stage.workers)
    victim.pause()
    try:
        await asyncio.sleep(2 * SECONDS)
    finally:
        victim.go_on()


async def _kill_server(stage: Stage, rng: random.Random) -> None:
    victim = rng.choice(stage.servers[1:])
    await victim.kill()
    await stage.restart_server(victim)


async def _drain_server(stage: Stage, rng: random.Random) -> None:
    victim = rng.choice(stage.servers[1:])
    await victim.stop(grace=30.0)
    await stage.restart_server(victim)


async def _kill_redis(stage: Stage, _: random.Random) -> None:
    await stage.redis.kill()
    await asyncio.sleep(SECONDS / 2)
    await stage.redis.start()


async def _freeze_redis(stage: Stage, _: random.Random) -> None:
    os.kill(stage.redis.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(SECONDS)
    finally:
        os.kill(stage.redis.pid, signal.SIGCONT)


async def _swallow(stage: Stage, _: random.Random) -> None:
    stage.proxy.blackhole = True
    try:
        await asyncio.sleep(SECONDS)
    finally:
        stage.proxy.blackhole = False
        stage.proxy.cut_all()  # bytes in the middle of an answer are gone: no connection is of use after that


async def _cut(stage: Stage, _: random.Random) -> None:
    for _turn in range(int(4 * SECONDS)):
        stage.proxy.cut_all()
        await asyncio.sleep(0.25)


async def _forget_scripts(stage: Stage, _: random.Random) -> None:
    for _turn in range(int(4 * SECONDS)):
        await stage.truth.redis.script_flush()
        await asyncio.sleep(0.25)


async def _upstream_errors(stage: Stage, rng: random.Random) -> None:
    async with spoiling(stage, rng, trouble, 40.0):
        await asyncio.sleep(SECONDS)


async def _lost_replies(stage: Stage, rng: random.Random) -> None:
    async with spoiling(stage, rng, lost_write, 2.0):
        await asyncio.sleep(SECONDS)


FAULTS: Final[Mapping[str, Fault]] = {
    "kill -9 of a worker": _kill_worker,
    "SIGSTOP of a worker": _pause_worker,
    "kill -9 of a server": _kill_server,
    "SIGTERM of a server": _drain_server,
    "kill -9 of Redis": _kill_redis,
    "SIGSTOP of Redis": _freeze_redis,
    "every byte to and from Redis swallowed": _swallow,
    "connections to Redis reset": _cut,
    "scripts forgotten": _forget_scripts,
    "upstream with errors": _upstream_errors,
    "upstream's replies lost": _lost_replies,
}
"""Every fault by what people call it."""


def order(rng: random.Random) -> list[str]:
    """All of them, shuffled; a run that has done all begins anew with another order."""
    return rng.sample(sorted(FAULTS), len(FAULTS))
