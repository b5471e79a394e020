"""Business dates: midnight in Asia/Shanghai, milliseconds since 1970 upstream, `google.type.Date` with us.

The offset is a fixed UTC+8 without summer time: seed 000 shows 2025-02-05 as 1738684800000, and China has kept no
summer time since 1991.
"""

from __future__ import annotations

from datetime import date

from google.type.date_pb2 import Date

from headgate.dates import from_message, to_message

DAY_MILLIS = 86_400_000
SHANGHAI_OFFSET_MILLIS = 8 * 3_600_000
LAST_MILLIS = 253_402_300_799_999 - SHANGHAI_OFFSET_MILLIS
"""The last moment of year 9999 in Asia/Shanghai; the first that is taken is 0."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()


def midnight_millis(day: Date) -> int:
    """Midnight in Asia/Shanghai of a full calendar date. Raises ValueError when there is no such date."""
    return (from_message(day).toordinal() - _EPOCH_DAY) * DAY_MILLIS - SHANGHAI_OFFSET_MILLIS


def business_date(millis: int) -> Date:
    """The date in Asia/Shanghai at `millis`, 0 to `LAST_MILLIS`."""
    days = (millis + SHANGHAI_OFFSET_MILLIS) // DAY_MILLIS
    return to_message(date.fromordinal(_EPOCH_DAY + days))


def iso_text(day: Date) -> str:
    """The date as "yyyy-mm-dd". Raises ValueError when there is no such date."""
    return from_message(day).isoformat()
