"""Business dates and their upstream spelling: midnight in UTC+8, in epoch milliseconds (seed 000)."""

from datetime import UTC, date, datetime, time, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))


def midnight_ms(day: date) -> int:
    """The upstream `BizDate` of `day`: 2025-02-05 is 1738684800000."""
    return int(datetime.combine(day, time(), tzinfo=SHANGHAI).timestamp()) * 1000


def business_date(millis: int) -> date:
    """The date in UTC+8 on which `millis` lies; the inverse of `midnight_ms`."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=millis)).astimezone(SHANGHAI).date()


def days(first: date, last: date) -> list[date]:
    """Every date from `first` to `last`, both included; empty if `last` comes first."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
