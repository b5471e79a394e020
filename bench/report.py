"""Results as a table for people and as JSON for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import Figure, Goal, Result

HEAD = ("| row | what | median | lowest to highest | goal | holds |", "|---|---|---|---|---|---|")


def table(results: Sequence[Result]) -> str:
    """Markdown: a line per figure with a goal or of a comparison, and one for each row that could not be measured."""
    return "\n".join([*HEAD, *(line for result in results for line in _lines(result))])


def _lines(result: Result) -> list[str]:
    if result.unmeasured:
        return [f"| {result.id} | {result.what} | not measured: {result.unmeasured} | | | |"]
    return [_line(result.id, figure) for figure in result.figures]


def _line(row: str, figure: Figure) -> str:
    spread = f"{number(min(figure.samples))} to {number(max(figure.samples))}" if len(figure.samples) > 1 else "one run"
    return f"| {row} | {figure.what} | {shown(figure)} | {spread} | {_goal(figure.goal)} | {_verdict(figure.holds)} |"


def shown(figure: Figure) -> str:
    """The median with its unit."""
    return f"{number(figure.median)} {figure.unit}"


def number(value: float) -> str:
    """A value with about three digits that mean something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _goal(goal: Goal | None) -> str:
    if goal is None:
        return ""
    stretch = f" (stretch {number(goal.stretch)})" if goal.stretch is not None else ""
    return f"{goal.sense.value} {number(goal.bound)}{stretch}"


def _verdict(holds: bool | None) -> str:
    return {True: "yes", False: "**no**", None: ""}[holds]


def summary(result: Result) -> str:
    """One row for a person who waits."""
    if result.unmeasured:
        return f"{result.id}: not measured: {result.unmeasured}"
    verdict = {True: "holds", False: "DOES NOT HOLD", None: "measured"}[result.holds]
    lines = [f"{result.id}: {verdict} in {result.seconds:.0f} s; {result.what}"]
    lines += [f"    {figure.what}: {shown(figure)} {_goal(figure.goal)}".rstrip() for figure in result.figures]
    return "\n".join([*lines, *(f"    note: {note}" for note in result.notes)])


def document(where: Mapping[str, str], results: Sequence[Result]) -> dict[str, Any]:
    """Everything, for JSON; `where` has machine, commit and command."""
    return {**where, "rows": [result.plain() for result in results]}
