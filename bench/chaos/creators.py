"""Three creators of very different size under one quota, while upstream throttles in bursts: equal shares of it."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.judging import judge
from bench.chaos.results import Check, Report, at_least, at_most, equal, none
from bench.chaos.stage import Plan, Stage, Trial
from bench.chaos.submits import adhoc
from bench.chaos.truth import Stored

from headgate import pb
from headgate_client import ClientOptions
from headgate_emulator.dataworks.quota import Limits
from headgate_emulator.faults import ErrorReply
from headgate_emulator.ledger import LedgerRow

THROTTLED = ErrorReply(code="Throttling.User", status=429, message="slow down", retry_after_ms=500)


@dataclass(frozen=True, slots=True)
class Sharing:
    """Size of `creator-shares`.

    Args:
        jobs: how many ad hoc runs each creator has, all at once; the smallest has enough to use its share.
        told_apart: whether callers are named, by their tokens; else all jobs are the same creator's.
        start: seconds for which the first creator is alone, and books slots far ahead.
        run_seconds: how long a run takes, so that every creator has calls waiting all the while.
        settle: seconds that are not counted at first.
        steady: seconds that are.
        every: seconds from one burst of throttling to the next.
        burst: calls in a row that are throttled.
    """

    jobs: Mapping[str, int] = field(default_factory=lambda: {"large": 150, "middle": 45, "small": 15})
    told_apart: bool = True
    workers: int = 3
    qps: int = 10
    start: float = 8.0
    run_seconds: float = 75.0
    settle: float = 15.0
    steady: float = 45.0
    every: float = 9.0
    burst: int = 5
    ends: float = 240.0


async def creator_shares(trial: Trial, size: Sharing | None = None) -> Report:
    """Count what upstream is asked for each creator while all have calls waiting, and how the jobs end."""
    size = size or Sharing()
    with tempfile.TemporaryDirectory() as folder:
        return await _shared(trial, size, _callers(Path(folder), size))


def _callers(folder: Path, size: Sharing) -> dict[str, str]:
    """The setting that names the creators, each by a token that is its name; none where all are anonymous."""
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in size.jobs}
    entries = [f'[callers.{name}]\nrights = ["write"]\ntokens = [{{sha256 = "{digests[name]}"}}]\n' for name in digests]
    file = folder / "callers.toml"
    file.write_text("".join(entries))
    return {"HEADGATE_CALLERS": str(file)} if size.told_apart else {}


async def _shared(trial: Trial, size: Sharing, callers: Mapping[str, str]) -> Report:
    limits = {"HEADGATE_DATAWORKS_TOTAL_QPS": str(size.qps), "HEADGATE_DATAWORKS_EDITION": "standard"}
    plan = Plan(workers=size.workers, run_seconds=size.run_seconds, environment={**limits, **callers})
    async with Stage(plan) as stage:
        stage.emulator.state.quota.limits = Limits(total_qps=size.qps)
        words = await _submit(stage, size)
        async with _throttling(stage, size):
            await asyncio.sleep(size.settle)
            before = stage.emulator.ledger.total
            await asyncio.sleep(size.steady)
        rows = stage.emulator.ledger.rows(after=before)
        trial.say(f"{len(rows)} calls in {size.steady:g} s")
        judged = await judge(stage, words, seconds=size.ends)
        jobs = await stage.truth.jobs()
    calls = _by_creator(rows, jobs)
    succeeded = sum(job.state == pb.JOB_STATE_SUCCEEDED for job in jobs.values())
    checks = [*_shares(rows, calls, size), equal("jobs that succeeded", len(words), succeeded), *judged.checks]
    figures = {f"calls of {name}": calls[name] for name in size.jobs}
    throttled = sum(row.status == 429 for row in rows)
    load = f"{_told(size)} jobs, {size.workers} workers, {size.qps} calls a second allowed, bursts of throttling"
    return Report(load, tuple(checks), {**figures, "of them throttled": throttled, **judged.figures})


def _told(size: Sharing) -> str:
    return ", ".join(f"{count:,}" for count in size.jobs.values())


async def _submit(stage: Stage, size: Sharing) -> list[str]:
    """Submit the jobs of all creators, those of the first some time before the others'; their ids."""
    words: list[str] = []
    for name, count in size.jobs.items():
        client = await stage.client(ClientOptions(token=name if size.told_apart else ""))
        own = [f"{name}-{number}" for number in range(count)]
        await asyncio.gather(*(client.jobs.submit(adhoc(word)) for word in own))
        await asyncio.sleep(0 if words else size.start)
        words += own
    return words


@asynccontextmanager
async def _throttling(stage: Stage, size: Sharing) -> AsyncIterator[None]:
    """Throttle a few calls in a row now and then while the block runs."""

    async def burst() -> None:
        while True:
            await asyncio.sleep(size.every)
            stage.emulator.faults.add([THROTTLED] * size.burst)

    task = asyncio.create_task(burst())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stage.emulator.faults.clear()


def _by_creator(rows: Sequence[LedgerRow], jobs: Mapping[str, Stored]) -> Counter[str]:
    """Calls by creator: of an execution the name is the job's, of a read the instance."""
    owners = {str(run.workflow_instance_id): word for word, job in jobs.items() for run in job.job.runs}
    words = (row.params.get("Name") or owners.get(row.params.get("Id", ""), "nobody") for row in rows)
    return Counter(word.split("-")[0] for word in words)


def _shares(rows: Sequence[LedgerRow], calls: Counter[str], size: Sharing) -> list[Check]:
    mean = sum(calls[name] for name in size.jobs) / len(size.jobs)
    off = [abs(calls[name] - mean) / max(1.0, mean) for name in size.jobs]
    return [
        *(
            at_most(f"distance of {name} from the mean share", 0.2, one)
            for name, one in zip(size.jobs, off, strict=True)
        ),
        at_most("most calls in a second, of the limit", 1.1, _most(rows) / size.qps),
        at_least("share of the allowed rate that was used", 0.5, len(rows) / size.steady / size.qps),
        at_least("calls that were throttled", size.burst, sum(row.status == 429 for row in rows)),
        none("calls of no known job", calls["nobody"]),
    ]


def _most(rows: Sequence[LedgerRow]) -> int:
    """The most calls within any second."""
    at = sorted(row.at_ms for row in rows)
    return max((number - bisect_left(at, at_ms - 999) + 1 for number, at_ms in enumerate(at)), default=0)
