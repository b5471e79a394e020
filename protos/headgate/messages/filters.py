"""Filters of job lists: a subset of AIP-160, parsed once and asked per job. Pure.

    expression = sequence {"AND" sequence}        OR binds tighter than AND, as AIP-160 has it
    sequence   = term {"OR" term}
    term       = ["NOT" | "-"] ("(" expression ")" | restriction)
    restriction = field operator value

Fields are those of FIELDS and `labels.<key>`; operators are = != < <= > >=; values are words, numbers or "quoted text".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from headgate import pb
from headgate.messages import word_choice

MAX_DEPTH: Final = 16
"""Deepest nesting of parentheses and NOTs."""

Predicate = Callable[[pb.Job], bool]


class BadFilter(ValueError):
    """A filter that can't be read.

    Args:
        column: where, counted from 1.
        problem: what is wrong there.
    """

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(f"column {column}: {problem}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter ready to be asked.

    Args:
        passes: whether a job passes.
        state: the one state that every passing job is in; None when there is no such state.
    """

    passes: Predicate
    state: pb.JobState.ValueType | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


_TOKENS: Final = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<operator><=|>=|!=|=|<|>)|(?P<open>\()|(?P<close>\))"""
    r"""|(?P<minus>-(?=[\s(a-z]))|(?P<word>[^\s()"=<>!]+))"""
)

_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EQUALITY: Final = frozenset({"=", "!="})


def parse(text: str) -> Filter:
    """Read a filter; an empty one lets every job pass.

    Raises:
        BadFilter: it can't be read.
    """
    reader = _Reader(_tokens(text), len(text) + 1)
    if reader.at_end():
        return Filter(lambda job: True)
    found = reader.expression(0)
    if not reader.at_end():
        raise reader.complaint("expected AND, OR or the end")
    return found


def both(first: Filter, second: Filter) -> Filter:
    """Jobs that pass both."""
    return Filter(_all([first.passes, second.passes]), first.state if first.state is not None else second.state)


def of_connections(names: Collection[str]) -> Filter:
    """Jobs on any of the connections."""
    return Filter(lambda job: job.connection in names)


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKENS.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise BadFilter(start + 1, f"unexpected {text[start]!r}")
        kind = match.lastgroup
        tokens.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        position = match.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = tokens
        self._at = 0
        self._end = _Token("end", "", end)

    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def complaint(self, problem: str) -> BadFilter:
        token = self._peek()
        found = f", found {token.text[:40]!r}" if token.text else ""
        return BadFilter(token.column, problem + found)

    def expression(self, depth: int) -> Filter:
        parts = [self._sequence(depth)]
        while self._takes_word("AND"):
            parts.append(self._sequence(depth))
        state = next((part.state for part in parts if part.state is not None), None)
        return Filter(_all([part.passes for part in parts]), state)

    def _sequence(self, depth: int) -> Filter:
        parts = [self._term(depth)]
        while self._takes_word("OR"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else Filter(_any([part.passes for part in parts]))

    def _term(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise self.complaint("nested too deeply")
        if self._takes_word("NOT") or self._takes("minus"):
            denied = self._term(depth + 1).passes
            return Filter(lambda job: not denied(job))
        if self._takes("open"):
            found = self.expression(depth + 1)
            if not self._takes("close"):
                raise self.complaint("expected )")
            return found
        return self._restriction()

    def _restriction(self) -> Filter:
        field = self._expect("word", "expected a field, such as state")
        sign = self._expect("operator", "expected one of = != < <= > >=")
        if self._peek().kind not in ("word", "text"):
            raise self.complaint("expected a value")
        value = self._next()
        return _restriction(field, sign, value)

    def _expect(self, kind: str, problem: str) -> _Token:
        if self._peek().kind != kind:
            raise self.complaint(problem)
        return self._next()

    def _takes_word(self, word: str) -> bool:
        return self._peek().text == word and self._takes("word")

    def _takes(self, kind: str) -> bool:
        taken = self._peek().kind == kind
        self._at += taken
        return taken

    def _peek(self) -> _Token:
        return self._end if self.at_end() else self._tokens[self._at]

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]


def _all(parts: list[Predicate]) -> Predicate:
    return lambda job: all(part(job) for part in parts)


def _any(parts: list[Predicate]) -> Predicate:
    return lambda job: any(part(job) for part in parts)


def _restriction(field: _Token, sign: _Token, value: _Token) -> Filter:
    found = FIELDS.get(field.text)
    if field.text.startswith("labels."):
        found = _Field(_label(field.text.removeprefix("labels.")), str)
    if found is None:
        raise BadFilter(field.column, word_choice.unknown("field", field.text, [*FIELDS, "labels.<key>"]))
    if not found.ordered and sign.text not in _EQUALITY:
        raise BadFilter(sign.column, f"{field.text} can only be compared with = and !=")
    try:
        wanted = found.convert(_text(value))
    except ValueError as error:
        raise BadFilter(value.column, str(error)) from error
    compare, read = _OPERATORS[sign.text], found.read
    state = wanted if field.text == "state" and sign.text == "=" else None
    return Filter(lambda job: compare(read(job), wanted), state)


def _text(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1]) if token.kind == "text" else token.text


@dataclass(frozen=True, slots=True)
class _Field:
    read: Callable[[pb.Job], Any]
    convert: Callable[[str], Any]
    ordered: bool = False


def _label(key: str) -> Callable[[pb.Job], str]:
    return lambda job: job.labels.get(key, "")


def _spec(job: pb.Job) -> Any:
    kind = job.WhichOneof("spec")
    return getattr(job, kind) if kind else None


_STATES: Final = [name.removeprefix("JOB_STATE_") for name in pb.JobState.keys() if "UNSPECIFIED" not in name]  # noqa: SIM118


def _state(text: str) -> pb.JobState.ValueType:
    name = text if text.startswith("JOB_STATE_") else f"JOB_STATE_{text}"
    if name not in pb.JobState.keys():  # noqa: SIM118 - not a mapping
        raise ValueError(word_choice.unknown("state", text, _STATES))
    return pb.JobState.Value(name)


def _kind(text: str) -> str:
    kinds = [field.name for field in pb.Job.DESCRIPTOR.oneofs_by_name["spec"].fields]
    if text not in kinds:
        raise ValueError(word_choice.unknown("kind", text, kinds))
    return text


def _number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise ValueError("expected a whole number")
    return int(text)


def _time(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError('expected a time such as "2026-01-31T08:00:00Z"') from error
    return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1_000)


FIELDS: Final[Mapping[str, _Field]] = {
    "state": _Field(lambda job: job.state, _state),
    "kind": _Field(lambda job: job.WhichOneof("spec"), _kind),
    "project_id": _Field(lambda job: getattr(_spec(job), "project_id", 0), _number, ordered=True),
    "connection": _Field(lambda job: job.connection, str),
    "creator": _Field(lambda job: job.creator, str),
    "priority": _Field(lambda job: job.priority, _number, ordered=True),
    "create_time": _Field(lambda job: job.create_time.ToMilliseconds(), _time, ordered=True),
    "update_time": _Field(lambda job: job.update_time.ToMilliseconds(), _time, ordered=True),
    "end_time": _Field(lambda job: job.end_time.ToMilliseconds(), _time, ordered=True),
}
"""What can be asked about, besides labels."""
