"""Business dates as upstream and `google.type.Date` write them. The arithmetic is in the protocol's `dates`."""

from __future__ import annotations

from google.type.date_pb2 import Date

from headgate.backfill import dates

LAST_MILLIS = 253_402_300_799_999 - 8 * 3_600_000
"""The last moment of year 9999 in Asia/Shanghai; the first that is taken is 0."""


def midnight_millis(day: Date) -> int:
    """Midnight in Asia/Shanghai of a full calendar date. Raises ValueError when there is no such date."""
    return dates.midnight_millis(dates.from_message(day))


def business_date(millis: int) -> Date:
    """The date in Asia/Shanghai at `millis`, 0 to `LAST_MILLIS`."""
    return dates.to_message(dates.business_date(millis))


def iso_text(day: Date) -> str:
    """The date as "yyyy-mm-dd". Raises ValueError when there is no such date."""
    return dates.from_message(day).isoformat()
