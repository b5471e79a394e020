"""Rules on business dates that a field rule can't state: that they exist, and how many there are. Pure.

Counts by merging ranges, never by walking them: a thousand overlapping ranges of a century cost as little as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from google.type.date_pb2 import Date

from headgate import dates, pb

Violation = tuple[str, str]
"""Field path, and what is wrong with it."""

_IN_FIELD_RULES: Final = range(2000, 2100)


def missing(path: str, day: Date) -> Iterator[Violation]:
    """Complain about a date that no calendar has, such as 30 February; the rest is left to the field rules."""
    if day.year not in _IN_FIELD_RULES or not (1 <= day.month <= 12 and 1 <= day.day <= 31):
        return
    if not _exists(day):
        yield path, f"{day.year:04}-{day.month:02}-{day.day:02} is not in the calendar"


def ranges(path: str, found: Sequence[pb.DateRange]) -> Iterator[Violation]:
    """Complain about dates of ranges that do not exist, and about too many of them."""
    complaints = [item for index, part in enumerate(found) for item in _range(f"{path}[{index}]", part)]
    yield from complaints
    if complaints or not all(_is_sound(part) for part in found):
        return
    count = sum((end - start).days + 1 for start, end in merged(found))
    if count > dates.MAX_DATES:
        yield path, f"{count:,} different dates; at most {dates.MAX_DATES:,} are allowed"


def merged(found: Iterable[pb.DateRange]) -> list[tuple[date, date]]:
    """The same dates in the fewest ranges, oldest first. Every range must be sound."""
    out: list[tuple[date, date]] = []
    for start, end in sorted((dates.from_message(r.start_biz_date), dates.from_message(r.end_biz_date)) for r in found):
        if out and start <= out[-1][1] + timedelta(days=1):
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def chosen(spec: pb.BackfillSpec) -> tuple[date, ...]:
    """The dates a backfill runs, as `headgate.dates.chosen`, at a cost that repeats in the ranges do not raise.

    Raises:
        ValueError: a date of the spec does not exist.
    """
    lean = pb.BackfillSpec(days_of_week=spec.days_of_week, month_ends_only=spec.month_ends_only)
    lean.exclude_biz_dates.extend(spec.exclude_biz_dates)
    for start, end in merged(spec.biz_dates):
        lean.biz_dates.add(start_biz_date=dates.to_message(start), end_biz_date=dates.to_message(end))
    return dates.chosen(lean)


def countable(spec: pb.BackfillSpec) -> bool:
    """Whether every date of a backfill exists, so that `chosen` can be asked."""
    return all(_is_sound(part) for part in spec.biz_dates) and all(map(_exists, spec.exclude_biz_dates))


def _range(path: str, part: pb.DateRange) -> Iterator[Violation]:
    yield from missing(f"{path}.start_biz_date", part.start_biz_date)
    yield from missing(f"{path}.end_biz_date", part.end_biz_date)


def _is_sound(part: pb.DateRange) -> bool:
    ends = (part.start_biz_date, part.end_biz_date)
    return all(day.year in _IN_FIELD_RULES and _exists(day) for day in ends) and _key(ends[0]) <= _key(ends[1])


def _key(day: Date) -> tuple[int, int, int]:
    return day.year, day.month, day.day


def _exists(day: Date) -> bool:
    try:
        dates.from_message(day)
    except ValueError:
        return False
    return True
