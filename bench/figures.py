"""What a row of the benchmark found: samples, their median and spread, the goal, and whether it holds. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Sense(Enum):
    """Which side of its bound a figure has to be on."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted.

    Args:
        sense: which side of the bound is good.
        bound: in the figure's unit.
        stretch: what would be better still; None where nothing is named.
    """

    sense: Sense
    bound: float
    stretch: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value is on the good side."""
        return value >= self.bound if self.sense is Sense.AT_LEAST else value <= self.bound

    def margin(self, value: float) -> float:
        """How good a value is: 1 at the bound, above 1 on the good side."""
        if self.sense is Sense.AT_LEAST:
            return value / self.bound
        return self.bound / value if value > 0 else float("inf")


def at_least(bound: float, stretch: float | None = None) -> Goal:
    """The bound or more."""
    return Goal(Sense.AT_LEAST, bound, stretch)


def at_most(bound: float, stretch: float | None = None) -> Goal:
    """The bound or less."""
    return Goal(Sense.AT_MOST, bound, stretch)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured several times.

    Args:
        what: what it is, for people.
        unit: "x" for a ratio, else a unit such as "ms".
        samples: one value per interleaved run, at least one.
        goal: what is wanted; None for a figure that only explains.
    """

    what: str
    unit: str
    samples: tuple[float, ...]
    goal: Goal | None = None

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError(f"{self.what}: nothing was measured")

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)

    @property
    def holds(self) -> bool | None:
        """Whether the median meets the goal; None without one."""
        return None if self.goal is None else self.goal.holds(self.median)

    def plain(self) -> dict[str, Any]:
        """The figure for JSON."""
        goal = self.goal and {"sense": self.goal.sense.value, "bound": self.goal.bound, "stretch": self.goal.stretch}
        known = {"what": self.what, "unit": self.unit, "samples": list(self.samples)}
        spread = {"median": self.median, "lowest": min(self.samples), "highest": max(self.samples)}
        return {**known, **spread, "goal": goal, "holds": self.holds}


@dataclass(frozen=True, slots=True)
class Result:
    """One row.

    Args:
        id: P1 to P18, or the name of a further comparison.
        what: what is compared with what.
        figures: those with a goal first.
        unmeasured: why there are no figures; empty when there are.
        notes: what a reader has to know of how they came about.
        seconds: how long the row took.
        load: the machine's load average when the row began; what else was running shows here.
    """

    id: str
    what: str
    figures: tuple[Figure, ...] = ()
    unmeasured: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    load: float = 0.0

    @property
    def holds(self) -> bool | None:
        """Whether every goal is met; None when nothing with a goal was measured."""
        verdicts = [figure.holds for figure in self.figures if figure.goal is not None]
        return all(verdicts) if verdicts else None

    def plain(self) -> dict[str, Any]:
        """The row for JSON."""
        return {**asdict(self), "figures": [figure.plain() for figure in self.figures], "holds": self.holds}


class CannotMeasure(Exception):
    """This machine can't measure a row; the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the code behind a row brings back."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = field(default=())


def ratio(what: str, ours: Sequence[float], theirs: Sequence[float], goal: Goal | None = None) -> Figure:
    """Ours over theirs, pair by pair: runs that were made side by side share what the machine did meanwhile.

    Raises:
        ValueError: the numbers of runs differ, or one of theirs is not above 0.
    """
    if any(value <= 0 for value in theirs):
        raise ValueError(f"{what}: a run of the comparator measured nothing")
    return Figure(what, "x", tuple(a / b for a, b in zip(ours, theirs, strict=True)), goal)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed, by rank.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
