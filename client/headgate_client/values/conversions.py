"""Python's own values in protobuf's form."""

from datetime import date, datetime, timedelta
from typing import overload

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill.dates import to_message


@overload
def duration(span: timedelta | float) -> Duration: ...
@overload
def duration(span: None) -> None: ...
def duration(span: timedelta | float | None) -> Duration | None:
    """Return a Duration of a timedelta or of seconds; None stays None."""
    if span is None:
        return None
    message = Duration()
    message.FromTimedelta(span if isinstance(span, timedelta) else timedelta(seconds=span))
    return message


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Return a Timestamp of a datetime that knows its zone; None stays None.

    Raises ValueError for a datetime without a zone: which moment it means is not known.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone: give one, such as datetime(..., tzinfo=timezone.utc)")
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def date_range(start: date | str, end: date | str | None = None) -> pb.DateRange:
    """Return the business dates from `start` to `end`, both included; without an end a single date.

    Takes dates or ISO text such as "2025-02-05". Raises ValueError for text that is no date.
    """
    first = _date(start)
    last = first if end is None else _date(end)
    return pb.DateRange(start_biz_date=to_message(first), end_biz_date=to_message(last))


def _date(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value
