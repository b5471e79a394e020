"""Business dates in few words: as ranges that `--biz-dates` takes, as many as fit into a line. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta


def ranges(days: Iterable[date]) -> Sequence[str]:
    """Return dates in order as ranges without gaps, such as 2025-02-05..2025-02-06."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return [f"{first}..{last}" if first != last else f"{first}" for first, last in found]


def fitting(found: Sequence[str], width: int) -> str:
    """Return as many words as fit into `width` characters, whole, and how many more there are; at least the first."""
    for count in range(len(found), 1, -1):
        rest = f" and {len(found) - count} more" if count < len(found) else ""
        if len(text := ", ".join(found[:count]) + rest) <= width:
            return text
    return found[0] + (f" and {len(found) - 1} more" if len(found) > 1 else "")
