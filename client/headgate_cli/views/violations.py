"""What a refusal says of many dates, in few lines: dates of which it says the same are ranges. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date

from headgate_cli.views.date_ranges import fitting, ranges
from headgate_client.rpc.errors import Violation

MOST_NAMED = 50
"""Dates that one refusal names at most, by the API: there may be more."""

_WIDTH = 90


def grouped(violations: Sequence[Violation]) -> Iterator[Violation]:
    """Yield violations, dates that say the same as one; a last one where there may be more dates."""
    dated: dict[str, list[date]] = {}
    for row in violations:
        if (day := _day(row)) is None:
            yield row
        else:
            dated.setdefault(row.description, []).append(day)
    for description, days in dated.items():
        yield Violation(fitting(ranges(sorted(days)), _WIDTH), description)
    if sum(map(len, dated.values())) >= MOST_NAMED:
        yield Violation("and maybe more", f"only the first {MOST_NAMED} dates are named")


def _day(row: Violation) -> date | None:
    try:
        return date.fromisoformat(row.subject)
    except ValueError:
        return None
