"""The script of a submit alone: what recording a job costs a plain Redis client."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.figures import quantile
from bench.load.bodies import submit
from bench.setting import Setting

from headgate import pb
from headgate_server.jobs.new_job import SubmitContext, new_job
from headgate_server.store import acceptance


async def round_trips(setting: Setting, *, seconds: float) -> float:
    """The median time in ms of the script that records a new job, one at a time, by redis-py with hiredis."""
    redis = await setting.client()
    script = redis.register_script(acceptance.SCRIPT)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        names, arguments = commit_of(len(times), "script")
        began = time.perf_counter()
        await script(keys=names, args=arguments)
        times.append(time.perf_counter() - began)
    return quantile(times, 0.5) * 1000


def commit_of(number: int, run: str) -> tuple[Sequence[str], Sequence[bytes | str | int]]:
    """KEYS and ARGV of the script that records a new job, as the server makes them."""
    request = pb.CreateBackfillRequest.FromString(submit(number, f"{run}-{time.monotonic_ns()}"))
    made = new_job(request, SubmitContext(int(time.time() * 1000), time.monotonic_ns().to_bytes(8, "big") * 3))
    return acceptance.script_keys(made.commit), acceptance.script_arguments(made.commit)
