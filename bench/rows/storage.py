"""P8 and P12: what jobs take in the store, and what many of them cost the next one."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

from bench.chaos.process import Process
from bench.figures import Figure, Found, at_most, ratio
from bench.journal import Journal, accepted, event, finished
from bench.load.bodies import submit
from bench.rows.seeding import submit_one
from bench.setting import CREATE, GET_JOB, LIST_JOBS, Setting, Size

from headgate import pb
from headgate.store import keys
from headgate.store.commit import Commit

EVENTS = 20
"""Events of a finished job."""

SIZED_EVENTS = 10
"""Events that one more is the mean of."""


async def p8(size: Size) -> Found:
    """Bytes that Redis holds per job, counted over many."""
    count = 500 if size.quick else 2_000
    waiting, ended, single = [], [], []
    async with Setting() as setting:
        redis = await setting.client()
        for _ in range(size.runs):
            await redis.flushall()
            journal = Journal(redis)
            each, logs = await _per_job(journal, count, "waiting", (accepted(n, "waiting")[1] for n in range(count)))
            waiting.append((each - logs) / 1000)
            changes = (change for n in range(count) for change in finished(n, "ended", EVENTS))
            ended.append((await _per_job(journal, count, "ended", changes))[0] / 1000)
            single.append(await _per_event(journal))
    said = f"growth of used_memory_dataset over {count:,} jobs, indexes, request records and names included"
    return Found(
        (
            Figure("waiting job without its log", "kB", tuple(waiting), at_most(1.5, 1.0)),
            Figure(f"finished job with {EVENTS} events", "kB", tuple(ended), at_most(4.5, 3.0)),
            Figure("one more event of 120 characters", "bytes", tuple(single)),
        ),
        (f"{said}; each round in an emptied Redis",),
    )


async def _per_event(journal: Journal) -> float:
    job, one = accepted(0, "single")
    await journal.write(one)
    before = await journal.bytes_of(keys.log("single-0"))
    for _ in range(SIZED_EVENTS):
        job, change = event(job, message="x" * 120)
        await journal.write(change)
    return (await journal.bytes_of(keys.log("single-0")) - before) / SIZED_EVENTS


async def _per_job(journal: Journal, count: int, run: str, changes: Iterable[Commit]) -> tuple[float, float]:
    before = await journal.used_bytes()
    await journal.write_all(changes)
    logs = await journal.bytes_of(*(keys.log(f"{run}-{number}") for number in range(0, count, 10)))
    return (await journal.used_bytes() - before) / count, logs / len(range(0, count, 10))


async def p12(size: Size) -> Found:
    """Calls in stores of 10,000 and 100,000 finished jobs, and of 10,000 active ones, against one of 1,000."""
    some, many = (2_000, 5_000) if size.quick else (10_000, 100_000)
    finished_ones = {f"{count:,}": (count, True) for count in (1_000, some, many)}
    fills = {**finished_ones, f"{some:,} active": (some, False)}
    async with AsyncExitStack() as stack:
        settings = {name: await stack.enter_async_context(Setting()) for name in fills}
        sides = {}
        for name, (count, ended) in fills.items():
            await _fill(settings[name], count, ended=ended)
            server = await settings[name].server()
            sides[name] = (server, await submit_one(server.addresses["port"], submit(1, "p12")))
        seen = await _calls(settings, sides, size)
    first, *others = fills
    figures = [
        ratio(f"{call}: p50 with {name} jobs / with 1,000", seen[name, call], seen[first, call], at_most(1.2, 1.05))
        for name in others
        for call in ("submit", "GetJob", "ListJobs")
    ]
    return Found(tuple(figures), ("one caller; finished jobs have 3 events",))


async def _fill(setting: Setting, count: int, *, ended: bool) -> None:
    journal = Journal(await setting.client())
    if ended:
        await journal.write_all(change for number in range(count) for change in finished(number, "filled", 3))
    else:
        await journal.write_all(accepted(number, "filled")[1] for number in range(count))


async def _calls(
    settings: dict[str, Setting], sides: dict[str, tuple[Process, str]], size: Size
) -> dict[tuple[str, str], list[float]]:
    seen: dict[tuple[str, str], list[float]] = {}
    listing = pb.ListJobsRequest(page_size=50).SerializeToString().hex()
    for _ in range(size.runs):
        for call, path in (("submit", CREATE), ("GetJob", GET_JOB), ("ListJobs", LIST_JOBS)):
            for name, (server, job) in sides.items():
                one = pb.GetJobRequest(name=job).SerializeToString().hex()
                kind = {"submit": "submit", "GetJob": one, "ListJobs": listing}[call]
                seconds = size.seconds / 3
                load = await settings[name].load(server, path, kind, in_flight=1, connections=1, seconds=seconds)
                seen.setdefault((name, call), []).append(load.p50_ms)
    return seen
