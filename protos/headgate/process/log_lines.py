"""How log lines look, in every process: one record is one line, whatever its values hold. Pure.

What is logged comes from outside as well: ids of entries, names upstream, texts of exceptions. None of it can end a
line, begin another, or steer a terminal: whatever can't be seen is written as an escape. In text a traceback follows
its line, each line of it behind a mark that no record begins with.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Final

MAX_CHARS: Final = 8_192
"""Longest message, and longest line of a traceback; the rest is cut off."""

_MARK: Final = "  | "
_ISO: Final = "%Y-%m-%dT%H:%M:%S%z"


def visible(text: str) -> str:
    """`text` on one line: what can't be seen as an escape, and no more than `MAX_CHARS`."""
    cut = text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}..."
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


class _Clock(logging.Formatter):
    """Times of records, each second written once: that costs as much as the rest of a line."""

    _second = -1
    _written = ""

    def written(self, created: float, form: str) -> str:
        """The second of a time since 1970, in a form that stays the same."""
        second = int(created)
        if second != self._second:
            record = logging.makeLogRecord({"created": created})
            self._second, self._written = second, self.formatTime(record, form)
        return self._written


class TextFormatter(_Clock):
    """Lines for people: time, level, logger, message, and the traceback below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and marked lines of a traceback."""
        record.message = record.getMessage()
        record.asctime = self._time(record.created)
        return "\n".join([visible(self.formatMessage(record)), *self._below(record)])

    def lines_of(self, logger: str, level: int) -> Callable[[float, str], str]:
        """Makes lines of times and messages, as `format` does of a logger's records without a traceback."""
        name = logging.getLevelName(level)
        return lambda created, message: visible(f"{self._time(created)} {name:<7} {logger}: {message}")

    def _time(self, created: float) -> str:
        return f"{self.written(created, '%Y-%m-%d %H:%M:%S')},{int(created % 1 * 1000):03d}"

    def _below(self, record: logging.LogRecord) -> Iterator[str]:
        stack = record.stack_info or ""
        for line in (*_traceback(self, record).splitlines(), *stack.splitlines()):
            yield _MARK + visible(line)


class JsonFormatter(_Clock):
    """One JSON object per record: time, level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": self.written(record.created, _ISO),
            "level": record.levelname,
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = "\n".join(map(_cut, _traceback(self, record).splitlines()))
        return _readable(json.dumps(line, ensure_ascii=False))

    def lines_of(self, logger: str, level: int) -> Callable[[float, str], str]:
        """Makes lines of times and messages, as `format` does of a logger's records without a traceback."""
        fixed = f'"level": "{logging.getLevelName(level)}", "logger": "{logger}", "message": '
        said = json.JSONEncoder(ensure_ascii=False).encode
        return lambda created, message: _readable(
            f'{{"time": "{self.written(created, _ISO)}", {fixed}{said(_cut(message))}}}'
        )


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}..."


def _readable(line: str) -> str:
    # JSON lets through what ends a line for some readers, such as U+2028, and what steers a terminal.
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
