"""P14: how long jobs stand still after their worker was killed, by the fault experiment of that name in small."""

from __future__ import annotations

from bench.chaos.stage import FEW_SLOTS, Plan, Trial
from bench.chaos.worker_faults import Kills, Load, worker_kills
from bench.figures import CannotMeasure, Figure, Found, at_most
from bench.setting import Size


async def p14(size: Size) -> Found:
    """From kill -9 of a worker until the next commit of each job that it had in hand."""
    kills = 2 if size.quick else 12
    load = Load(jobs=50 * kills, per_second=20.0)
    plan = Plan(workers=3, environment=FEW_SLOTS)
    report = await worker_kills(Trial("P14", 1), Kills(load, kills=kills, every=2.0, plan=plan))
    killed = int(report.figures["ticks killed"])
    if not killed:
        raise CannotMeasure("no worker had a job in hand when it was killed")
    slowest = next(float(check.seen) for check in report.checks if check.what.startswith("killed tick"))
    return Found(
        (
            Figure("kill -9 to the next commit of its jobs, p99", "s", (slowest,), at_most(10, 6)),
            Figure("the same, p50", "s", (float(report.figures["recovery p50, s"]),)),
        ),
        (f"{killed} ticks under way at {kills} kills of one of 3 workers, each replaced; {load.words}",),
    )
