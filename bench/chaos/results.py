"""What an experiment found: criteria with what was wanted and what was seen, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Figure = int | float | str


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion.

    Args:
        what: what is counted or measured, with its unit.
        wanted: the bound, for people.
        seen: what was counted or measured.
        held: whether it is within the bound.
    """

    what: str
    wanted: str
    seen: Figure
    held: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of an experiment came to.

    Args:
        load: what was going on meanwhile.
        checks: the criteria.
        figures: further figures that have no bound.
    """

    load: str
    checks: tuple[Check, ...]
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether every criterion was met."""
        return bool(self.checks) and all(check.held for check in self.checks)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A report with what makes it repeatable."""

    name: str
    fault: str
    seed: int
    seconds: float
    report: Report

    def plain(self) -> dict[str, Any]:
        """The row for JSON."""
        return {**asdict(self), "held": self.report.held}


def none(what: str, seen: int) -> Check:
    """Nothing of the kind may happen."""
    return Check(what, "0", seen, seen == 0)


def equal(what: str, wanted: Figure, seen: Figure) -> Check:
    """Exactly this."""
    return Check(what, str(wanted), seen, seen == wanted)


def at_most(what: str, bound: float, seen: float) -> Check:
    """This or less."""
    return Check(what, f"<= {bound:g}", round(seen, 3), seen <= bound)


def at_least(what: str, bound: float, seen: float) -> Check:
    """This or more."""
    return Check(what, f">= {bound:g}", round(seen, 3), seen >= bound)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; nan of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(rows: Sequence[ResultRow]) -> str:
    """The rows as a Markdown table: one line per experiment."""
    lines = ["| experiment | load | held | figures |", "|---|---|---|---|"]
    for row in rows:
        held = "yes" if row.report.held else "**no**"
        lines.append(f"| `{row.name}` | {row.report.load} | {held} | {_told(row.report)} |")
    return "\n".join(lines)


def misses(rows: Sequence[ResultRow]) -> str:
    """Every criterion that was missed, with what was wanted and what was seen; else how many held."""
    found = [(row.name, check) for row in rows for check in row.report.checks if not check.held]
    held = sum(len(row.report.checks) for row in rows) - len(found)
    lines = [f"{held} criteria held, {len(found)} did not."]
    return "\n".join([*lines, *(f"{name}: {c.what}: wanted {c.wanted}, seen {_short(c.seen)}" for name, c in found)])


def _told(report: Report) -> str:
    """What was measured against a bound, and the further figures; counts of what must not be are left out."""
    measured = [f"{c.what} {_short(c.seen)}" for c in report.checks if c.wanted != "0" or not c.held]
    return ", ".join([*measured, *(f"{name} {_short(value)}" for name, value in report.figures.items())])


def summary(row: ResultRow) -> str:
    """The row for a person who waits: the verdict, the figures, and every criterion that was missed."""
    verdict = "held" if row.report.held else "NOT HELD"
    figures = ", ".join(f"{name} {_short(value)}" for name, value in row.report.figures.items())
    lines = [f"{row.name}: {verdict} in {row.seconds:.0f} s, seed {row.seed}; {row.report.load}", f"  {figures}"]
    missed = [check for check in row.report.checks if not check.held]
    return "\n".join([*lines, *(f"  missed: {c.what}: wanted {c.wanted}, seen {_short(c.seen)}" for c in missed)])


def _short(value: Figure) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"
