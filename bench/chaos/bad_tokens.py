"""Callers without a token, with a wrong or an expired one, and of another connection; then a flood of wrong tokens."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from bench.chaos.judging import judge
from bench.chaos.process import Process
from bench.chaos.results import Report, at_least, at_most, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import Acks, adhoc
from bench.soak.samples import descriptors, rss_mb
from grpc_health.v1 import health_pb2, health_pb2_grpc

from headgate_client import Client, ClientOptions, HeadgateError, RetryPolicy

READY: Final = re.compile(r"forgers ready")

TOKENS: Final = {name: f"hg_{hashlib.sha256(name.encode()).hexdigest()[:43]}" for name in ("known", "late", "far")}
WRONG: Final = f"hg_{hashlib.sha256(b'wrong').hexdigest()[:43]}"
"""A token that no caller has."""

FLOOR_SECONDS: Final = 0.05
"""A p99 up to this is well, whatever it was before."""


@dataclass(frozen=True, slots=True)
class BadTokens:
    """Size of `bad-tokens`. Seconds; calls a second.

    Args:
        per_second: of the caller that is known.
        flood: of the one that is not.
        calls: most open calls of one connection.
        gated: whether callers are named; without it the experiment does not hold, as it should.
    """

    per_second: float = 10.0
    before: float = 15.0
    seconds: float = 20.0
    flood: float = 10_000.0
    calls: int = 100
    slower: float = 2.0
    floor: float = FLOOR_SECONDS
    megabytes: float = 100.0
    lines: int = 60
    gated: bool = True


async def bad_tokens(trial: Trial, size: BadTokens | None = None) -> Report:
    """Ask who comes in, then flood the server with a wrong token beside submits of a known caller."""
    size = size or BadTokens()
    with tempfile.TemporaryDirectory(prefix="headgate-callers-") as name:
        path = Path(name) / "callers.toml"
        path.write_text(_file())
        own = {"HEADGATE_MAX_CONNECTION_CALLS": str(size.calls)}
        return await _asking(trial, size, {**own, "HEADGATE_CALLERS": str(path)} if size.gated else own)


async def _asking(trial: Trial, size: BadTokens, environment: dict[str, str]) -> Report:
    alone, beside = Acks(), Acks()
    async with Stage(Plan(workers=1, servers=0)) as stage:
        server = await stage.add_server(**environment)
        client = await stage.client(_options("known"))
        await alone.submit(client, adhoc("quiet"))
        wrong = await _wrong_answers(stage)
        healthy = await _health(server)
        count = int(size.before * size.per_second)
        await alone.steadily(client, lambda n: adhoc(f"a{n}"), count=count, per_second=size.per_second)
        fds, before = descriptors(server.pid), rss_mb(server.pid)
        flood = (server.addresses["grpc"], str(size.seconds), str(size.flood), WRONG, str(size.calls * 9 // 10))
        forger = await stage.beside("forgers", READY, *flood)
        count = int(size.seconds * size.per_second)
        await beside.steadily(client, lambda n: adhoc(f"b{n}"), count=count, per_second=size.per_second)
        await forger.wait()
        growth, left, seen = rss_mb(server.pid) - before, descriptors(server.pid) - fds, _told(forger)
        trial.say(f"the flood was told {seen}")
        judged = await judge(stage, [*alone.ids(), *beside.ids()])
        processes = (server, *stage.workers)
        leaks = sum(process.said(token) for process in processes for token in (*TOKENS.values(), WRONG))
        lines = sum("headgate_server.audit" not in line for line in server.lines)
    sent = sum(count for word, count in seen.items() if word != "hung up")
    p99, was = (quantile([ack.seconds for ack in acks.all], 0.99) for acks in (beside, alone))
    failed = len(alone.all) + len(beside.all) - len(alone.ids()) - len(beside.ids())
    checks = [
        none("answers that were not the right ones", len(wrong)),
        none("health refused", not healthy),
        # A connection's denials are held back for a second, so it makes about as many a second as it may have open.
        at_least("wrong tokens a second that were answered or cut off", 0.5 * size.calls, sent / size.seconds),
        none("calls of the flood that were let in", seen.get("OK or another code", 0)),
        none("submits of the known caller that failed", failed),
        at_most("known caller's p99, s", max(size.floor, size.slower * was), p99),
        at_most("growth of the server, MB", size.megabytes, growth),
        at_most("descriptors more than before", 2, left),
        none("log lines with a token", leaks),
        at_most("lines in the server's log, but for those of writes", size.lines, lines),
        *judged.checks,
    ]
    figures = {
        "p99 without, s": was,
        "p99 beside, s": p99,
        "flood": json.dumps(seen).replace('"', ""),
        "wrong answers": "; ".join(wrong) or "none",
        **judged.figures,
    }
    words = f"{size.flood:g} wrong tokens a second from one peer, {size.per_second:g} submits/s of a known caller"
    return Report(words, tuple(checks), figures)


def _file() -> str:
    digests = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}
    return (
        f'[callers.known]\nrights = ["write"]\ntokens = [{{sha256 = "{digests["known"]}"}}]\n'
        f'[callers.late]\nrights = ["write"]\n'
        f'tokens = [{{sha256 = "{digests["late"]}", expires = 2020-01-01T00:00:00Z}}]\n'
        f'[callers.far]\nrights = ["write"]\nconnections = ["far"]\ntokens = [{{sha256 = "{digests["far"]}"}}]\n'
    )


def _options(name: str) -> ClientOptions:
    token = {**TOKENS, "none": "", "wrong": WRONG}[name]
    return ClientOptions(token=token, retry=RetryPolicy(max_attempts=1))


async def _wrong_answers(stage: Stage) -> list[str]:
    """Answers to denied calls that are not as they should be."""
    wanted = (("none", "TOKEN_MISSING"), ("wrong", "TOKEN_INVALID"), ("late", "TOKEN_EXPIRED"), ("far", "JOB_DENIED"))
    wrong = []
    for name, reason in wanted:
        client = await stage.client(_options(name))
        for job_id in ("quiet", "nobody"):
            calls: tuple[Awaitable[object], ...] = (
                client.jobs.get(job_id),
                client.jobs.cancel(job_id),
                _first(client, job_id),
            )
            for number, call in enumerate(calls):
                if (told := await _reason(call)) != reason:
                    wrong.append(f"{name} {job_id} {number}: {told}")
    return wrong


async def _first(client: Client, job_id: str) -> None:
    async with client.jobs.watch(job_id) as watch:
        await anext(aiter(watch))


async def _reason(call: Awaitable[object]) -> str:
    try:
        await call
    except HeadgateError as error:
        return error.reason
    return "OK"


async def _health(server: Process) -> bool:
    async with grpc.aio.insecure_channel(server.addresses["grpc"]) as channel:
        found = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        return bool(found.status == health_pb2.HealthCheckResponse.SERVING)


def _told(forger: Process) -> dict[str, int]:
    line = next((line for line in forger.lines if line.startswith("forgers done ")), "forgers done {}")
    return dict(json.loads(line.removeprefix("forgers done ")))
