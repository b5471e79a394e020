"""All the checkers at once, at the end of an experiment whose jobs are to have ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bench.chaos import verdicts
from bench.chaos.results import Check, Figure
from bench.chaos.stage import Stage
from bench.chaos.waiting import until
from bench.chaos.watches import Record

from headgate import pb

IDLE_SECONDS = 12.0
"""How long leases may still run after the last job has ended: one lease, and the next look at what it left."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the checkers found."""

    checks: list[Check]
    figures: dict[str, Figure]


async def judge(
    stage: Stage, acknowledged: Collection[str], records: Sequence[Record] = (), *, seconds: float = 60.0
) -> Judged:
    """Wait for the jobs to end, at most so long, then run every checker."""
    await stage.truth.settle({*await stage.truth.job_ids(), *acknowledged}, seconds)
    await _idle(stage)
    jobs = await stage.truth.jobs()
    checks = [
        *verdicts.ends(jobs, acknowledged),
        *verdicts.effects(jobs, stage.emulator.ledger),
        *verdicts.folds(jobs),
        *await verdicts.indexes(stage.truth, jobs),
        *(verdicts.watched(jobs, records) if records else ()),
        *await verdicts.leftovers(stage.truth, jobs),
        stage.exits(),
    ]
    figures = {**verdicts.tally(jobs.values()), "upstream calls": stage.emulator.ledger.total}
    if any(job.state != pb.JOB_STATE_SUCCEEDED for job in jobs.values()):
        figures["why"] = verdicts.explained(jobs.values())
    if words := stage.last_words():
        figures["last words"] = words
    return Judged(checks, figures)


async def _idle(stage: Stage) -> None:
    async def idle() -> bool:
        left = await verdicts.leftovers(stage.truth, await stage.truth.jobs())
        return all(check.held for check in left)

    await until(idle, IDLE_SECONDS, pause=0.5)
