"""Business dates: sets of them, and the fewest ranges that make such a set. Pure calendar arithmetic."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from google.type.date_pb2 import Date

from headgate import pb

MAX_DATES: Final = 1_100
"""Most dates one backfill may have: three years. Bounds the size of a job and of its events."""

MAX_RANGES_PER_CALL: Final = 7
"""Most date ranges one CreateWorkflowInstances takes (SDK 9.11)."""


_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY_MILLIS: Final = 86_400_000
_SHANGHAI_MILLIS: Final = 8 * 3_600_000  # UTC+8 all year; no summer time since 1991


def from_message(message: Date) -> date:
    """The calendar date; ValueError when the message is not a full, existing date."""
    return date(message.year, message.month, message.day)


def to_message(day: date) -> Date:
    """The date as google.type.Date."""
    return Date(year=day.year, month=day.month, day=day.day)


def write(into: Date, day: date) -> None:
    """Write the date into a google.type.Date."""
    into.year, into.month, into.day = day.year, day.month, day.day


def compact(day: Date) -> str:
    """A full date as "yyyymmdd"."""
    return f"{day.year:04}{day.month:02}{day.day:02}"


def dashed(compact: str) -> str:
    """A date written "yyyymmdd" as people write it, "yyyy-mm-dd"."""
    return f"{compact[:4]}-{compact[4:6]}-{compact[6:]}"


def midnight_millis(day: date) -> int:
    """Midnight of a business date in Asia/Shanghai, ms since 1970: upstream's way to write a date (seed 000)."""
    return (day.toordinal() - _EPOCH) * _DAY_MILLIS - _SHANGHAI_MILLIS


def business_date(millis: int) -> date:
    """The date in Asia/Shanghai at a time in ms since 1970; ValueError outside of years 1 to 9999."""
    return date.fromordinal(_EPOCH + (millis + _SHANGHAI_MILLIS) // _DAY_MILLIS)


def walk(ranges: Iterable[pb.DateRange]) -> Iterator[date]:
    """Every date of the ranges in the order given, both ends included; repeats where ranges overlap."""
    for item in ranges:
        day, end = from_message(item.start_biz_date), from_message(item.end_biz_date)
        while day <= end:
            yield day
            day += timedelta(days=1)


def span(ranges: Iterable[pb.DateRange]) -> int:
    """How many dates the ranges hold, repeats counted, without walking them."""
    return sum(max(0, (from_message(r.end_biz_date) - from_message(r.start_biz_date)).days + 1) for r in ranges)


def is_month_end(day: date) -> bool:
    """Whether the date is the last of its month."""
    return day.day == calendar.monthrange(day.year, day.month)[1]


def chosen(spec: pb.BackfillSpec) -> tuple[date, ...]:
    """The dates a backfill runs, oldest first, each once: ranges, less exclusions, by weekday and month end.

    Raises:
        ValueError: a date of the spec does not exist.
    """
    excluded = {from_message(day) for day in spec.exclude_biz_dates}
    weekdays = set(spec.days_of_week)
    return tuple(
        day
        for day in sorted(set(walk(spec.biz_dates)) - excluded)
        if (not weekdays or day.isoweekday() in weekdays) and (not spec.month_ends_only or is_month_end(day))
    )


def to_ranges(days: Sequence[date]) -> tuple[pb.DateRange, ...]:
    """The fewest ranges that hold exactly these dates. `days` is sorted and without repeats."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day == ranges[-1][1] + timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return tuple(pb.DateRange(start_biz_date=to_message(start), end_biz_date=to_message(end)) for start, end in ranges)


def to_calls(days: Sequence[date], *, max_ranges: int = MAX_RANGES_PER_CALL) -> tuple[tuple[pb.DateRange, ...], ...]:
    """The fewest calls that create exactly these dates, oldest first, each of at most `max_ranges` ranges."""
    ranges = to_ranges(days)
    return tuple(ranges[i : i + max_ranges] for i in range(0, len(ranges), max_ranges))
