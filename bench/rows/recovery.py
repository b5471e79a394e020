"""P14: how long jobs stand still after their worker was killed, by the fault experiment of that name in small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.chaos.results import Report
from bench.chaos.stage import FEW_SLOTS, Plan, Trial
from bench.chaos.worker_faults import FaultLoad, Kills, worker_kills
from bench.figures import CannotMeasure, Figure, Found, Goal, at_most
from bench.setting import Size

GOAL: Final = at_most(10, 6)
"""Seconds to the next commit."""


AGAIN: Final = "ticks whose next one was killed as well"
"""The figure that counts them."""


@dataclass(frozen=True, slots=True)
class KillPace:
    """How hard workers are killed.

    Args:
        words: for people.
        workers: how many there are.
        every: seconds between two kills.
        kills: in one round.
        goal: what is wanted of the p99.
    """

    words: str
    workers: int
    every: float
    kills: int
    goal: Goal


GENTLE: Final = KillPace("one of 3 workers each 2 s", workers=3, every=2.0, kills=10, goal=GOAL)
HARD: Final = KillPace("one of 2 workers each second", workers=2, every=1.0, kills=16, goal=GOAL)
ROUNDS: Final = 3
"""Of each pace, by turns, every one with workers and a store of its own. The first of a quick run is the only one."""


async def p14(size: Size) -> Found:
    """From kill -9 of a worker until the next commit of each job that it had in hand, at two paces."""
    rounds = 1 if size.quick else ROUNDS
    seen: dict[KillPace, list[Mapping[str, float]]] = {GENTLE: [], HARD: []}
    for number in range(rounds):
        for pace, found in seen.items():
            found.append(_figures(await _round(pace, 3 if size.quick else pace.kills, seed=number + 1)))
    return Found(
        tuple(figure for pace, found in seen.items() for figure in _shown(pace, found)),
        tuple(_note(pace, found) for pace, found in seen.items()),
    )


async def _round(pace: KillPace, kills: int, *, seed: int) -> Report:
    load = FaultLoad(jobs=int(25 * pace.every * kills), per_second=20.0)
    plan = Plan(workers=pace.workers, environment=FEW_SLOTS)
    return await worker_kills(Trial("P14", seed), Kills(load, kills=kills, every=pace.every, plan=plan))


def _figures(report: Report) -> Mapping[str, float]:
    """The numbers of a round.

    Raises:
        CannotMeasure: nothing was under way when workers were killed.
    """
    found = {name: float(value) for name, value in report.figures.items() if not isinstance(value, str)}
    if not found["ticks killed"]:
        raise CannotMeasure("no worker had a job in hand when it was killed")
    slowest = next(float(check.seen) for check in report.checks if check.what.startswith("killed tick"))
    return {**found, "p99": slowest}


def _shown(pace: KillPace, found: Sequence[Mapping[str, float]]) -> list[Figure]:
    def figure(what: str, name: str, goal: Goal | None = None) -> Figure:
        return Figure(what, "s", tuple(one[name] for one in found), goal)

    return [
        figure(f"kill -9 of {pace.words} to the next commit of its jobs, p99", "p99", pace.goal),
        figure("the same, p50", "recovery p50, s"),
        figure("the same, p99 of ticks whose next one was not killed as well", "recovery of the others p99, s"),
    ]


def _note(pace: KillPace, found: Sequence[Mapping[str, float]]) -> str:
    ticks, again = (int(sum(one[name] for one in found)) for name in ("ticks killed", AGAIN))
    kills = int(sum(one["kills"] for one in found))
    said = f"{pace.words}: {ticks} ticks under way at {kills} kills in {len(found)} rounds"
    return f"{said}; of {again} the next one was killed as well"
