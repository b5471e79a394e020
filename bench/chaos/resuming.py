"""Every point from which a watch may be resumed, and the one answer that each of them has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from bench.chaos.results import Report, at_most, equal, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import adhoc, backfill
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.store import keys
from headgate.v1.job_service_pb2_grpc import JobServiceStub

LARGEST: Final = 2**63 - 1

TRIMMED: Final = 2
"""Events that are taken off the front of a log, as nothing in headgate does yet: the watcher's error is promised."""


@dataclass(frozen=True, slots=True)
class Case:
    """A point to resume from, and what must come of it.

    Args:
        what: the point, for people.
        request: asks for it.
        wanted: the reason of an error, or what the first messages carry, each with its revision or its reason.
        messages: how many.
    """

    what: str
    request: Any
    wanted: str
    messages: int = 1


@dataclass(frozen=True, slots=True)
class Resumes:
    """Size of `resume-points`."""

    times: int = 20
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class _Standing:
    """A job and where its log stands: its last revision, and the digest of the event there."""

    name: str
    head: int
    incarnation: str


async def resume_points(trial: Trial, size: Resumes | None = None) -> Report:
    """Resume from every kind of point, many at a time, before and after the server was killed and started again."""
    size = size or Resumes()
    async with Stage(Plan(workers=1, run_seconds=1.0)) as stage:
        cases = await _cases(stage)
        found = [await _ask_all(stage, cases, size)]
        victim = stage.servers[0]
        await victim.kill()
        await stage.restart_server(victim)
        found.append(await _ask_all(stage, cases, size))
        trial.say(f"{len(cases)} points were asked for, {size.times} times each, before and after a restart")
        exits = stage.exits()
    answers = [answer for round_ in found for answer in round_]
    wrong = [f"{case.what}: {said}, not {case.wanted}" for case, said, _ in answers if said != case.wanted]
    checks = [
        equal("answers", 2 * size.times * len(cases), len(answers)),
        none("answers other than the one of their point", len(wrong)),
        at_most("longest wait for an answer, s", size.seconds, max(seconds for _, _, seconds in answers)),
        exits,
    ]
    examples = "; ".join(sorted(set(wrong))[:5]) or "none"
    return Report(f"{len(cases)} points, {2 * size.times} times each", tuple(checks), {"wrong answers": examples})


async def _cases(stage: Stage) -> list[Case]:
    client = await stage.client()
    for request in (adhoc("ended"), adhoc("trimmed")):
        await client.jobs.submit(request)
    await stage.truth.settle(["ended", "trimmed"], 60.0)
    await stage.kill_worker(stage.workers[0])
    await client.jobs.submit(backfill("open", 1))
    await stage.truth.redis.ltrim(keys.log("trimmed"), TRIMMED, -1)
    standing = {word: await _standing(stage, word) for word in ("open", "ended", "trimmed")}
    return [
        *_watches_of_open(standing["open"]),
        *_watches_of_ended(standing["ended"]),
        *_watches_of_trimmed(standing["trimmed"]),
        *_reads(standing["open"], standing["trimmed"]),
        Case("a job that is not there", pb.WatchJobRequest(name="jobs/nobody"), "JOB_UNKNOWN"),
        Case("a token that is none", pb.WatchJobsRequest(resume_token="nonsense"), "FIELD_INVALID"),
    ]


async def _standing(stage: Stage, word: str) -> _Standing:
    async with grpc.aio.insecure_channel(stage.servers[0].addresses["grpc"]) as channel:
        call: Any = JobServiceStub(channel).WatchJob(pb.WatchJobRequest(name=f"jobs/{word}"))
        first = await call.read()
    return _Standing(f"jobs/{word}", first.revision, first.incarnation)


def _watch(job: _Standing, start: int, incarnation: str = "") -> pb.WatchJobRequest:
    return pb.WatchJobRequest(name=job.name, start_revision=start, incarnation=incarnation)


def _watches_of_open(job: _Standing) -> list[Case]:
    after = job.head + 1
    return [
        Case("0", _watch(job, 0), f"snapshot {job.head}"),
        Case("1", _watch(job, 1), "event 1"),
        Case("the head", _watch(job, job.head), f"event {job.head}"),
        Case("after the head", _watch(job, after), f"progress {job.head}"),
        Case("after the head, of this history", _watch(job, after, job.incarnation), f"progress {job.head}"),
        Case("after the head, of another history", _watch(job, after, "0123456789abcdef"), "end HISTORY_LOST"),
        Case("two after the head", _watch(job, after + 1), "REVISION_FUTURE"),
        Case("the largest number", _watch(job, LARGEST), "REVISION_FUTURE"),
        Case("-1", _watch(job, -1), "FIELD_INVALID"),
        Case("the smallest number", _watch(job, -LARGEST - 1), "FIELD_INVALID"),
    ]


def _watches_of_ended(job: _Standing) -> list[Case]:
    return [
        Case("0 of an ended job", _watch(job, 0), f"snapshot {job.head}"),
        Case("after the head of an ended job", _watch(job, job.head + 1), f"progress {job.head}, end JOB_TERMINAL", 2),
        Case("two after the head of an ended job", _watch(job, job.head + 2), "REVISION_FUTURE"),
    ]


def _watches_of_trimmed(job: _Standing) -> list[Case]:
    return [
        Case("1 of a log without it", _watch(job, 1), "REVISION_COMPACTED"),
        Case("the last that the log lacks", _watch(job, TRIMMED), "REVISION_COMPACTED"),
        Case("0 of a log without its beginning", _watch(job, 0), f"snapshot {job.head}"),
        Case(
            "after the head of a log without its beginning",
            _watch(job, job.head + 1),
            f"progress {job.head}, end JOB_TERMINAL",
            2,
        ),
    ]


def _reads(job: _Standing, trimmed: _Standing) -> list[Case]:
    def read(of: _Standing, start: int) -> pb.ListJobEventsRequest:
        return pb.ListJobEventsRequest(name=of.name, start_revision=start)

    return [
        Case("read from 0", read(job, 0), f"{job.head} events"),
        Case("read after the head", read(job, job.head + 1), "0 events"),
        Case("read two after the head", read(job, job.head + 2), "REVISION_FUTURE"),
        Case("read from the largest number", read(job, LARGEST), "REVISION_FUTURE"),
        Case("read from -1", read(job, -1), "FIELD_INVALID"),
        Case("read what the log lacks", read(trimmed, 1), "REVISION_COMPACTED"),
    ]


async def _ask_all(stage: Stage, cases: Sequence[Case], size: Resumes) -> list[tuple[Case, str, float]]:
    loop = asyncio.get_running_loop()

    async def one(stub: JobServiceStub, case: Case) -> tuple[Case, str, float]:
        began = loop.time()
        said = await _answer(stub, case, size.seconds)
        return case, said, loop.time() - began

    async with grpc.aio.insecure_channel(stage.servers[0].addresses["grpc"]) as channel:
        stub = JobServiceStub(channel)
        return list(await asyncio.gather(*(one(stub, case) for case in cases for _ in range(size.times))))


async def _answer(stub: Any, case: Case, seconds: float) -> str:
    """What comes first: an error's reason, or what the first messages carry."""
    try:
        if isinstance(case.request, pb.ListJobEventsRequest):
            return f"{len((await stub.ListJobEvents(case.request, timeout=seconds)).job_events)} events"
        watch = stub.WatchJob if isinstance(case.request, pb.WatchJobRequest) else stub.WatchJobs
        call = watch(case.request, timeout=seconds)
        told = [_told(await call.read()) for _ in range(case.messages)]
        call.cancel()
        return ", ".join(told)
    except grpc.aio.AioRpcError as error:
        return _reason(error)


def _told(message: pb.WatchJobResponse) -> str:
    kind = message.WhichOneof("payload") or "nothing"
    if kind == "end":
        return f"end {pb.StreamEndReason.Name(message.end.reason).removeprefix('STREAM_END_REASON_')}"
    return f"{kind} {message.revision}"


def _reason(error: grpc.aio.AioRpcError) -> str:
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    info = ErrorInfo()
    known = isinstance(raw, bytes) and any(detail.Unpack(info) for detail in Status.FromString(raw).details)
    return str(info.reason) if known else error.code().name
