"""A record is one line: nothing that is logged can end it, begin another, or steer a terminal."""

import json
import logging
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.process.log_lines import MAX_CHARS, JsonFormatter, TextFormatter

FORGED: Final = "2025-02-05 00:00:00,000 INFO    headgate_worker: all is well"
ENDS: Final = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\x1b[2K\x1b[1A", "\u202e"]


def record(message: str, *values: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("test", logging.WARNING, __file__, 1, message, values, info)


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_value_can_not_end_its_line(formatter: logging.Formatter, end: str) -> None:
    line = formatter.format(record("entry %s broke", f"job{end}{FORGED}"))

    assert line.isprintable() and FORGED in line


@pytest.mark.parametrize("end", ENDS)
def test_neither_can_the_text_of_an_exception(end: str) -> None:
    first, *below = TextFormatter().format(record("broke", error=raised(f"no{end}{FORGED}"))).splitlines()

    assert first.endswith("test: broke") and all(line.startswith("  | ") and line.isprintable() for line in below)
    assert "Traceback" in below[0]


@given(st.text())
def test_json_lines_say_what_was_logged(text: str) -> None:
    line = JsonFormatter().format(record("%s", text))

    assert line.isprintable() and json.loads(line)["message"] == text


@given(st.text())
def test_a_text_line_is_one_line_that_can_be_written(text: str) -> None:
    line = TextFormatter().format(record("%s", text))

    assert line.isprintable()
    line.encode()


def test_a_name_in_any_language_stays_readable() -> None:
    for formatter in (TextFormatter(), JsonFormatter()):
        assert "订单-2025 Straße" in formatter.format(record("%s", "订单-2025 Straße"))


def test_a_traceback_in_json_is_a_member_of_its_own() -> None:
    found = json.loads(JsonFormatter().format(record("broke", error=raised("no\nmore"))))

    assert found["traceback"].endswith("ValueError: no\nmore")


def test_what_is_endless_is_cut() -> None:
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(record("%s", "x" * 10 * MAX_CHARS, error=raised("y" * 10 * MAX_CHARS)))
        assert len(line) < 4 * MAX_CHARS


def test_the_stack_is_told_where_it_is_asked_for() -> None:
    found = logging.LogRecord("test", logging.INFO, __file__, 1, "here", (), None, sinfo=f"Stack:\n  {FORGED}")

    assert TextFormatter().format(found).splitlines()[1:] == ["  | Stack:", f"  |   {FORGED}"]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@given(text=st.text())
def test_a_line_made_without_a_record_is_the_line_of_the_record(
    formatter: TextFormatter | JsonFormatter, text: str
) -> None:
    found = record("%s", text)

    assert formatter.lines_of("test", logging.WARNING)(found.created, text) == formatter.format(found)
