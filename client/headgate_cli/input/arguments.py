"""Read what was typed: business dates, ids, words of DataWorks, labels, spans of time. Pure.

Everything raises UsageFault with the flag's name and an example of what would be right.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from headgate.messages import word_choice
from headgate_cli.process.exit_codes import UsageFault

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

DateSpan = tuple[date, date]
"""First and last date, both included."""


def pieces(values: Iterable[str]) -> tuple[str, ...]:
    """Return the non-empty pieces of comma lists: ["1,2", "3"] are three."""
    return tuple(piece.strip() for value in values for piece in value.split(",") if piece.strip())


def date_spans(values: Sequence[str], flag: str = "--biz-dates") -> tuple[DateSpan, ...]:
    """Read dates such as "2025-02-05..2025-02-06" or "2025-02-05"; comma lists and repeats add up."""
    return tuple(_date_span(piece, flag) for piece in pieces(values))


def _date_span(text: str, flag: str) -> DateSpan:
    first, dots, last = text.partition("..")
    start = one_date(first, flag)
    end = one_date(last, flag) if dots else start
    if end < start:
        raise UsageFault(flag, f"{text!r} ends before it starts; both ends are included")
    return start, end


def one_date(text: str, flag: str = "--biz-date") -> date:
    """Read a date such as "2025-02-05"."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageFault(
            flag, f"{text.strip()!r} is no date; write 2025-02-05, or 2025-02-05..2025-02-06 for a range"
        ) from None


def ids(values: Sequence[str], flag: str) -> tuple[int, ...]:
    """Read whole positive numbers; comma lists and repeats add up."""
    return tuple(_id(piece, flag) for piece in pieces(values))


def _id(text: str, flag: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        raise UsageFault(flag, f"{text!r} is no id; write a whole number such as 1000341554601")
    return int(text)


def labels(values: Sequence[str]) -> dict[str, str]:
    """Read labels such as "team=orders"."""
    found: dict[str, str] = {}
    for value in values:
        key, sign, text = value.partition("=")
        if not sign or not key:
            raise UsageFault("--label", f"{value!r} is no label; write key=value, such as team=orders")
        found[key] = text
    return found


def span(text: str, flag: str) -> timedelta | None:
    """Read a span of time such as "90s", "1h30m" or "7d"; None for empty text."""
    if not text:
        return None
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageFault(flag, f"{text!r} is no span of time; write 90s, 15m, 1h30m or 7d")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def choice(text: str, names: Sequence[str], prefix: str, flag: str) -> str:
    """Return the enum name that a word means: "AllDownstream" is BACKFILL_MODE_ALL_DOWNSTREAM.

    `names` are all names of the enum, each with `prefix`. Case and underscores do not matter; empty text is
    the unspecified value.
    """
    wanted = _folded(text) or "UNSPECIFIED"
    for name in names:
        if _folded(name.removeprefix(prefix)) == wanted:
            return name
    known = [word(name, prefix) for name in names if not name.endswith("_UNSPECIFIED")]
    raise UsageFault(flag, word_choice.unknown("word", text, known))


def word(name: str, prefix: str) -> str:
    """Return an enum name as DataWorks writes it: BACKFILL_MODE_ALL_DOWNSTREAM is "AllDownstream"."""
    return "".join(part.capitalize() for part in name.removeprefix(prefix).split("_"))


def _folded(text: str) -> str:
    return text.replace("_", "").replace("-", "").strip().upper()
