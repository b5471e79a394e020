"""Hostile input: bytes that are no message, text that is no text, ids that are no ids, and a great many of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from bench.chaos.judging import judge
from bench.chaos.results import Report, at_least, at_most, equal, none, quantile
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import Acks, adhoc, backfill, mixed
from bench.fuzz import corpus, mutation
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_client import Client, HeadgateError

SERVICE = "/headgate.v1."
CREATE = f"{SERVICE}BackfillService/CreateBackfill"
ADHOC = f"{SERVICE}WorkflowInstanceService/ExecuteAdhocWorkflowInstance"
GET_JOB = f"{SERVICE}JobService/GetJob"
EVENTS = f"{SERVICE}JobService/ListJobEvents"
LIST = f"{SERVICE}JobService/ListJobs"
CANCEL = f"{SERVICE}JobService/CancelJob"
START = f"{SERVICE}WorkflowInstanceService/StartWorkflowInstances"
METHODS = (CREATE, ADHOC, GET_JOB, EVENTS, LIST, CANCEL, START)

STREAMS = frozenset(corpus.path(name) for name, method in corpus.methods().items() if method.server_streaming)
SECONDS = 5.0
"""How long a caller waits: a long poll may have nothing to say, and an instance may not be readable."""

REFUSED = frozenset({"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"})
"""What a request that breaks a rule is answered with."""

DECENT = REFUSED | {
    "OK",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "ABORTED",
    "DEADLINE_EXCEEDED",
    "UNAVAILABLE",
}
"""Every code that an answer to garbage may have: none of them says that something broke in the server."""

LEAKS = ("Traceback", "Exception", "Error(", ".py", "python", "object at 0x", "NoneType", "codec", "redis", "protobuf")
"""Words that only a program's own failure puts into an answer."""

PREFIXES = ("hg:", "headgate:", "arq:job:tick:", "arq:in-progress:tick:", "arq:retry:tick:", "arq:job:read:")
"""Beginnings of every key that a deployment may write."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    code: str
    words: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Hostile:
    """Size of `hostile-input`."""

    fuzzed: int = 100_000
    at_a_time: int = 20


class RawCaller:
    """Sends bytes to methods, whatever they are."""

    def __init__(self, target: str) -> None:
        self._channel: Any = grpc.aio.insecure_channel(target, options=(("grpc.max_send_message_length", -1),))

    async def send(self, method: str, raw: bytes) -> Answer:
        """Send bytes as a request; what came back, with every word in it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._first(method, raw)
        except grpc.aio.AioRpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            details = trailers.get("grpc-status-details-bin", b"")
            status = str(Status.FromString(details)) if isinstance(details, bytes) else str(details)
            return Answer(error.code().name, f"{error.details()} {status}", loop.time() - began)
        return Answer("OK", "", loop.time() - began)

    async def _first(self, method: str, raw: bytes) -> None:
        """Wait for an answer, or for the first message of a stream, and hang up then."""
        if method not in STREAMS:
            await self._channel.unary_unary(method)(raw, timeout=SECONDS)
            return
        call = self._channel.unary_stream(method)(raw, timeout=SECONDS)
        await call.read()
        call.cancel()

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()


def malformed() -> list[tuple[str, bytes]]:
    """Bytes that no rule of the API lets through."""
    plain = backfill("sound", 1).SerializeToString()
    name = b"\x22\x05sound"
    garbage = (b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xc3\x28")
    # The first field of ListJobs is a number, so that the last of these is an unknown field there, which is no fault.
    cases = [(method, raw) for method in METHODS if method != LIST for raw in garbage]
    cases += [(CREATE, plain.replace(name, b"\x22\x05\xff\xfe\x80\x81\xc0")), (CREATE, plain[:-3])]
    cases += [(CREATE, b"\x0a\x80\x01" + b"\x5a\x7e" * 64)]
    return cases


def _named(spec_name: str = "sound", job_id: str = "", request_id: str = "") -> bytes:
    request = backfill("sound", 1)
    request.spec.name, request.job_id, request.request_id = spec_name, job_id, request_id
    return request.SerializeToString()


ODD_IDS = (
    *("../../etc/passwd", "arq:job:x", "hg:feed", "{tag}", "*"),
    *("a\r\nSET x 1", "a\x00b", "a b", "A", "-a", "a" * 64, "é", "ａ"),
)
"""Ids that are not ids: paths, key names, protocol breaks, NUL, look-alikes."""


def broken() -> list[tuple[str, bytes]]:
    """Well-formed requests that break a rule."""
    cases = [(CREATE, _named(job_id=odd)) for odd in ODD_IDS]
    cases += [(CREATE, _named(request_id=odd)) for odd in ("a\x00", "a\r\n", "x" * 129, "é", "a b")]
    cases += [(CREATE, _named(spec_name=odd)) for odd in ("a\x00b", "x" * 129, "", "a\nb", "\x7f")]
    cases += [
        (method, pb.GetJobRequest(name=f"jobs/{odd}").SerializeToString())
        for odd in ODD_IDS
        for method in (GET_JOB, CANCEL)
    ]
    return [*cases, *_huge(), *_numbers()]


def _huge() -> list[tuple[str, bytes]]:
    long, many = backfill("sound", 1), backfill("sound", 1)
    long.spec.workflow_parameters = "x" * 3_000_000
    many.spec.biz_dates.extend(list(many.spec.biz_dates) * 100_000)
    ids = pb.StartWorkflowInstancesRequest()
    ids.spec.ids.extend(range(1, 400_000))
    oversized = adhoc("sound")
    oversized.spec.tasks[0].script_content = "x" * 10_000_000
    return [
        (CREATE, long.SerializeToString()),
        (CREATE, many.SerializeToString()),
        (START, ids.SerializeToString()),
        (ADHOC, oversized.SerializeToString()),
    ]


def _numbers() -> list[tuple[str, bytes]]:
    cases = []
    for project in (0, -1, -(2**63)):
        request = backfill("sound", 1)
        request.spec.project_id = project
        cases.append((CREATE, request.SerializeToString()))
    for day in ((2025, 2, 30), (0, 0, 0), (99_999, 1, 1), (2025, 13, 1), (2025, -1, 1)):
        request = backfill("sound", 1)
        request.spec.biz_dates[0].end_biz_date.year, request.spec.biz_dates[0].end_biz_date.month = day[:2]
        request.spec.biz_dates[0].end_biz_date.day = day[2]
        cases.append((CREATE, request.SerializeToString()))
    return cases


def fuzzed(rng: random.Random, count: int) -> list[tuple[str, bytes]]:
    """Requests of every method, made from the descriptors: nine in ten whole and odd, the others cut or doubled."""
    return [_one(rng, rng.choice(list(corpus.methods()))) for _ in range(count)]


def _one(rng: random.Random, method: str) -> tuple[str, bytes]:
    request = rng.choice(corpus.sound(method))
    whole = rng.random() < 0.9
    raw = mutation.mutated(request, rng) if whole else mutation.mangled(request.SerializeToString(), rng)
    return corpus.path(method), raw


def harmful() -> list[tuple[str, bytes]]:
    """What once did harm."""
    return [(corpus.path(case.method), case.raw) for case in corpus.harmful()]


async def given_up(client: Client) -> list[str]:
    """Let go of every job that has not ended; those that can't be."""
    stuck = []
    async for job in client.jobs.list():
        if job.state not in JOB_TERMINAL:
            try:
                await client.jobs.cancel(job.name, mode=pb.CANCEL_MODE_DETACH, reason="the fuzzing is over")
            except HeadgateError as error:
                stuck.append(f"{job.name} {error}")
    return stuck


@dataclass(frozen=True, slots=True)
class Listed:
    """What another caller sees after all that.

    Args:
        jobs: how many the pages of a list show.
        counted: how many the counts say there are.
        watched: whether a watch of all jobs began.
    """

    jobs: int
    counted: int
    watched: bool


async def listed(client: Client) -> Listed:
    """Walk all lists there are, as a caller who has sent nothing odd."""
    jobs = [job async for job in client.jobs.list()]
    counts = await client.jobs.count()
    async with asyncio.timeout(20):
        async for _ in client.jobs.watch_all():
            return Listed(len(jobs), sum(counts.values()), watched=True)
    return Listed(len(jobs), sum(counts.values()), watched=False)


async def hostile_input(trial: Trial, size: Hostile | None = None) -> Report:
    """Send hostile requests, and look at every answer and at every key that was written."""
    size = size or Hostile()
    async with Stage(Plan(workers=1)) as stage:
        caller = RawCaller(stage.servers[0].addresses["grpc"])
        wrong = await _send(caller, [*malformed(), *broken()], size.at_a_time)
        trial.say(f"{len(wrong)} broken requests are answered")
        odd = await _send(caller, [*harmful(), *fuzzed(trial.rng, size.fuzzed)], size.at_a_time)
        trial.say(f"{len(odd)} fuzzed requests are answered")
        client, acks = await stage.client(), Acks()
        stuck = await given_up(client)
        await acks.steadily(client, mixed, count=20, per_second=20.0)
        judged = await judge(stage, acks.ids())
        shown = await listed(client)
        strangers = [key for key in await stage.truth.keys_like("*") if not key.startswith(PREFIXES)]
        await caller.close()
    answers = [*wrong, *odd]
    checks = [
        none("broken requests not refused as the caller's fault", sum(a.code not in REFUSED for a in wrong)),
        none("fuzzed requests answered as if the server broke", sum(a.code not in DECENT for a in odd)),
        none("answers with words of the program", sum(any(leak in a.words for leak in LEAKS) for a in answers)),
        none("keys outside the prefixes", len(strangers)),
        at_most("answer to a broken request, p99, s", 1.0, quantile([a.seconds for a in wrong], 0.99)),
        equal("sound submits acknowledged afterwards", 20, len(acks.ids())),
        at_least("jobs that a list shows afterwards", 20, shown.jobs),
        none("jobs of fuzzed requests that can't be cancelled", len(stuck)),
        equal("jobs that a list shows, against the counts", shown.counted, shown.jobs),
        equal("watches of all jobs that began afterwards", 1, int(shown.watched)),
        *[check for check in judged.checks if "upstream" not in check.what],
    ]
    figures = {**_codes(odd), "examples": _examples(wrong, odd), **judged.figures}
    return Report(f"{len(wrong)} broken and {len(odd)} fuzzed requests", tuple(checks), figures)


async def _send(caller: RawCaller, cases: Sequence[tuple[str, bytes]], at_a_time: int) -> list[Answer]:
    room = asyncio.Semaphore(at_a_time)

    async def one(method: str, raw: bytes) -> Answer:
        async with room:
            return await caller.send(method, raw)

    return list(await asyncio.gather(*(one(method, raw) for method, raw in cases)))


def _codes(answers: Sequence[Answer]) -> dict[str, int]:
    return {f"fuzzed {code}": number for code, number in sorted(Counter(answer.code for answer in answers).items())}


def _examples(wrong: Sequence[Answer], odd: Sequence[Answer]) -> str:
    """The first answers that ought not to be."""
    bad = [answer for answer in wrong if answer.code not in REFUSED]
    bad += [answer for answer in odd if answer.code not in DECENT]
    bad += [answer for answer in (*wrong, *odd) if any(leak in answer.words for leak in LEAKS)]
    return "; ".join(f"{answer.code} {answer.words[:160]}" for answer in bad[:3]) or "none"
