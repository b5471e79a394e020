"""Which times and spans of a request are none: beyond their range, or with nanoseconds of another sign. Pure.

A Duration of 60 s and -1 ns passes protobuf and the bounds of the field rules, and has no form in JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from headgate_server.requests.date_rules import Violation

LONGEST_SPAN: Final = 315_576_000_000
"""Seconds of the longest Duration, 10,000 years."""

FIRST_TIME: Final = -62_135_596_800
"""Seconds of the first Timestamp, the begin of the year 1."""

LAST_TIME: Final = 253_402_300_799
"""Seconds of the last Timestamp, the end of the year 9999."""

_BILLION: Final = 1_000_000_000


def is_span(value: Duration) -> bool:
    """Whether a Duration is one."""
    seconds, nanos = value.seconds, value.nanos
    return abs(seconds) <= LONGEST_SPAN and abs(nanos) < _BILLION and seconds * nanos >= 0


def is_time(value: Timestamp) -> bool:
    """Whether a Timestamp is one."""
    return FIRST_TIME <= value.seconds <= LAST_TIME and 0 <= value.nanos < _BILLION


CHECKS: Final[dict[str, tuple[Any, str]]] = {
    Duration.DESCRIPTOR.full_name: (is_span, "is no span of time: nanos are below 1 s, and of the sign of seconds"),
    Timestamp.DESCRIPTOR.full_name: (is_time, "is no time: years are 1 to 9999, and nanos are 0 to 999,999,999"),
}
"""By type of the field: the rule for its values, and the error of one that breaks it."""


def ill_formed(message: Message, prefix: str = "") -> Iterator[Violation]:
    """Every such field of a message, by its path."""
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        parts = enumerate(value) if field.is_repeated else [(None, value)]
        for index, part in parts:
            path = f"{prefix}{field.name}" + ("" if index is None else f"[{index}]")
            check, words = CHECKS.get(field.message_type.full_name, (None, ""))
            if check is None:
                yield from ill_formed(part, f"{path}.")
            elif not check(part):
                yield path, words
