"""Rules on business dates that a field rule can't state: that they exist, and how many there are. Pure.

Counts by merging ranges, never by walking them: a thousand overlapping ranges of a century cost as little as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import dates

Violation = tuple[str, str]
"""Field path, and what is wrong with it."""

_YEARS: Final = range(2000, 2100)
_FIRST: Final = date(2000, 1, 1).toordinal()
_LAST: Final = date(2099, 12, 31).toordinal()
_ONE_DAY: Final = 1


def missing(path: str, day: Date) -> Iterator[Violation]:
    """Complain about a date that no calendar has, such as 30 February; the rest is left to the field rules."""
    if is_plausible(day) and _ordinal(day) is None:
        yield path, f"{day.year:04}-{day.month:02}-{day.day:02} is not in the calendar"


def whole(path: str, day: Date) -> Iterator[Violation]:
    """Complain about a date that is not full, that lies outside of the years we know, or that no calendar has."""
    if not is_plausible(day):
        yield path, "needs year 2000 to 2099, month 1 to 12 and day 1 to 31"
    yield from missing(path, day)


def ranges(path: str, found: Sequence[pb.DateRange]) -> Iterator[Violation]:
    """Complain about ranges of dates that do not exist or that end before they start, and about too many dates."""
    spans = _spans(found)
    if spans is None or not _are_in_order(spans):
        for index, part in enumerate(found):
            yield from _range(f"{path}[{index}]", part)
        return
    if len(spans) == 1 and spans[0][1] - spans[0][0] < dates.MAX_DATES:
        return  # nearly every request
    count = sum(end - start + 1 for start, end in _merged(spans))
    if count > dates.MAX_DATES:
        yield path, f"{count:,} different dates; at most {dates.MAX_DATES:,} are allowed"


def _range(path: str, part: pb.DateRange) -> Iterator[Violation]:
    start, end = part.start_biz_date, part.end_biz_date
    given = [name for name in ("start_biz_date", "end_biz_date") if part.HasField(name)]
    for name in given:
        yield from whole(f"{path}.{name}", getattr(part, name))
    if len(given) == 2 and (end.year, end.month, end.day) < (start.year, start.month, start.day):
        said = "the end lies before the start; both ends are included, so a single date has end = start"
        yield f"{path}.end_biz_date", said


def countable(spec: pb.BackfillSpec) -> bool:
    """Whether `days` can list the dates of a backfill: all of its dates exist."""
    return _spans(spec.biz_dates) is not None and None not in map(_ordinal, spec.exclude_biz_dates)


def selects(spec: pb.BackfillSpec) -> bool:
    """Whether a backfill leaves out dates of its ranges."""
    return bool(spec.exclude_biz_dates or spec.days_of_week or spec.month_ends_only)


def days(spec: pb.BackfillSpec) -> list[date]:
    """The dates a backfill runs, as `backfill.dates.chosen`, at a cost that repeats in its ranges do not raise.

    Raises:
        ValueError: a date of the spec does not exist.
    """
    found = days_of(spec.biz_dates)
    if not selects(spec):
        return found
    excluded = {dates.from_message(day) for day in spec.exclude_biz_dates}
    weekdays = set(spec.days_of_week)
    return [
        day
        for day in found
        if day not in excluded
        and (not weekdays or day.isoweekday() in weekdays)
        and (not spec.month_ends_only or dates.is_month_end(day))
    ]


def fewest_ranges(spec: pb.BackfillSpec) -> tuple[pb.DateRange, ...]:
    """The dates a backfill runs, in the fewest ranges; without walking the dates where all of them are wanted.

    Raises:
        ValueError: a date of the spec does not exist.
    """
    if selects(spec):
        return dates.to_ranges(days(spec))
    spans = _spans(spec.biz_dates)
    if spans is None:
        raise ValueError("a date does not exist")
    return tuple(_range_of(start, end) for start, end in _merged(spans))


def days_of(found: Iterable[pb.DateRange]) -> list[date]:
    """Every date of the ranges, oldest first, each once.

    Raises:
        ValueError: a date does not exist.
    """
    spans = _spans(found)
    if spans is None:
        raise ValueError("a date does not exist")
    return [date.fromordinal(number) for start, end in _merged(spans) for number in range(start, end + 1)]


def _spans(found: Iterable[pb.DateRange]) -> list[tuple[int, int]] | None:
    out = []
    for part in found:
        start, end = _ordinal(part.start_biz_date), _ordinal(part.end_biz_date)
        if start is None or end is None:
            return None
        out.append((start, end))
    return out


def _are_in_order(spans: list[tuple[int, int]]) -> bool:
    return all(_FIRST <= start <= end <= _LAST for start, end in spans)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(spans) == 1 and spans[0][0] <= spans[0][1]:
        return spans
    out: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] <= span[1]):
        if out and start <= out[-1][1] + _ONE_DAY:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def is_plausible(day: Date) -> bool:
    """Whether year, month and day lie in the ranges that the API's field rules give."""
    return day.year in _YEARS and 1 <= day.month <= 12 and 1 <= day.day <= 31


def _range_of(start: int, end: int) -> pb.DateRange:
    first, last = (dates.to_message(date.fromordinal(number)) for number in (start, end))
    return pb.DateRange(start_biz_date=first, end_biz_date=last)


def _ordinal(day: Date) -> int | None:
    try:
        return date(day.year, day.month, day.day).toordinal()
    except ValueError:
        return None
