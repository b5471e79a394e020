"""Whether a message surely keeps the field rules of its .proto file: yes, or not sure; never no. Pure.

Nearly every request is right, and telling that through the library cost a fifth of a submit (docs/performance.md).
Whatever is not surely right goes to the library, which names what is wrong; so nothing here words a complaint, and a
rule that is not known here only costs time. A test compares both on random messages of every request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2
from headgate_server.requests import time_rules

Holds = Callable[[Any], bool]
"""Whether a value keeps its rules; False when that is not sure."""

_NUMBERS: Final[dict[str, Callable[[Any], Holds]]] = {
    "gt": lambda bound: lambda value: value > bound,
    "gte": lambda bound: lambda value: value >= bound,
    "lt": lambda bound: lambda value: value < bound,
    "lte": lambda bound: lambda value: value <= bound,
    "in": lambda known: lambda value: value in known,
    "not_in": lambda known: lambda value: value not in known,
}
_TEXTS: Final[dict[str, Callable[[Any], Holds]]] = {
    "min_len": lambda bound: lambda value: len(value) >= bound,
    "max_len": lambda bound: lambda value: len(value) <= bound,
    "max_bytes": lambda bound: lambda value: len(value) <= bound // 4 or len(value.encode()) <= bound,
    "pattern": lambda pattern: _pattern(pattern),
}
_LISTS: Final[dict[str, Callable[[Any], Holds]]] = {
    "min_items": lambda bound: lambda value: len(value) >= bound,
    "max_items": lambda bound: lambda value: len(value) <= bound,
    "min_pairs": lambda bound: lambda value: len(value) >= bound,
    "max_pairs": lambda bound: lambda value: len(value) <= bound,
    "unique": lambda wanted: lambda value: not wanted or len(value) == len(set(value)),
}
_PLAIN: Final = re.compile(r"\^(?:[^$\\]|\\x[0-9a-f]{2})*\$\Z")
"""Patterns that mean the same here and there: anchored at both ends, without classes of characters by letter."""


class FastValidator:
    """What surely keeps its rules; compiled when a type of message is first met."""

    def __init__(self) -> None:
        self._types: dict[str, _Type] = {}
        self._by_class: dict[type[Message], _Type] = {}

    def is_valid(self, message: Message) -> bool:
        """Whether the message keeps every field rule; False also when that is not known."""
        known = self._by_class.get(type(message))
        if known is None:
            known = self._by_class[type(message)] = self.compiled(message.DESCRIPTOR)
        return known.holds(message)

    def compiled(self, descriptor: Any) -> _Type:
        """The rules of a type; a type that holds itself is met before it is finished."""
        name = descriptor.full_name
        if name not in self._types:
            self._types[name] = _Type()
            self._types[name].compile(descriptor, self)
        return self._types[name]


class _Type:
    """One type of message: what every message of it must have, and what each of its fields must keep."""

    def __init__(self) -> None:
        self._unknown = False
        self._finished = False
        self._wanted: set[int] = set()
        self._fields: dict[int, Holds] = {}

    @property
    def is_free(self) -> bool:
        """Whether there is nothing to keep."""
        return self._finished and not (self._unknown or self._fields or self._wanted)

    def compile(self, descriptor: Any, validator: FastValidator) -> None:
        """Take the rules from a descriptor."""
        options = descriptor.GetOptions().Extensions[validate_pb2.message]
        oneofs = any(one.GetOptions().HasExtension(validate_pb2.oneof) for one in descriptor.oneofs)
        self._unknown = bool(options.ListFields()) or oneofs
        for field in descriptor.fields:
            self._compile(field, validator)
        self._finished = True

    def holds(self, message: Message) -> bool:
        """Whether a message keeps them all; False when that is not sure."""
        if self._unknown:
            return False
        there = message.ListFields()
        if self._wanted and not self._wanted.issubset([field.number for field, _ in there]):
            return False
        for field, value in there:
            check = self._fields.get(field.number)
            if check is not None and not check(value):
                return False
        return True

    def _compile(self, field: FieldDescriptor, validator: FastValidator) -> None:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        check = _check(field, rules, validator)
        if check is not None:
            self._fields[field.number] = check
        absent_is_judged = not field.has_presence
        if rules.required or (absent_is_judged and check is not None and not check(_default(field))):
            self._wanted.add(field.number)


def _default(field: FieldDescriptor) -> Any:
    if not field.is_repeated:
        return field.default_value
    return {} if field.message_type is not None and field.message_type.GetOptions().map_entry else ()


def _check(field: FieldDescriptor, rules: validate_pb2.FieldRules, validator: FastValidator) -> Holds | None:
    """What a value of a field that is there must keep; None when there is nothing."""
    parts = _rules(field, rules)
    inner = field.message_type
    if inner is not None and inner.full_name in time_rules.CHECKS:
        well_formed, _ = time_rules.CHECKS[inner.full_name]
        parts.append(_each(well_formed) if field.is_repeated else well_formed)
    elif inner is not None and not inner.GetOptions().map_entry:
        known = validator.compiled(inner)
        if not known.is_free:
            parts.append(_each(known.holds) if field.is_repeated else known.holds)
    elif inner is not None and inner.fields_by_name["value"].message_type is not None:
        parts.append(_each(_unsure))
    return _all(parts)


def _rules(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> list[Holds]:
    kind = rules.WhichOneof("type")
    known = getattr(rules, kind).ListFields() if kind else ()
    parts = [_rule(field, kind or "", rule.name, value) for rule, value in known]
    return [*parts, _unsure] if rules.cel or rules.cel_expression or rules.ignore else parts


def _rule(field: FieldDescriptor, kind: str, name: str, value: Any) -> Holds:
    if kind in ("repeated", "map"):
        return _of_many(field, kind, name, value)
    if name == "defined_only":
        defined = frozenset(field.enum_type.values_by_number if field.enum_type else ())
        return lambda found: found in defined
    if kind == "duration":
        return _of_duration(name, value)
    if kind == "string":
        return _known(_TEXTS, name, value)
    return _known(_NUMBERS, name, frozenset(value) if name in ("in", "not_in") else value)


def _of_many(field: FieldDescriptor, kind: str, name: str, value: Any) -> Holds:
    if name not in ("items", "keys", "values"):
        return _known(_LISTS, name, value)
    check = _all(_rules(field, value)) or _unsure
    if kind == "map" and name == "values":
        return lambda found: all(map(check, found.values()))
    return _each(check)


def _of_duration(name: str, bound: Any) -> Holds:
    if name not in ("gte", "lte"):
        return _unsure
    limit = (bound.seconds, bound.nanos)
    if name == "gte":
        return lambda value: (value.seconds, value.nanos) >= limit
    return lambda value: (value.seconds, value.nanos) <= limit


def _known(table: dict[str, Callable[[Any], Holds]], name: str, value: Any) -> Holds:
    make = table.get(name)
    return make(value) if make is not None else _unsure


def _pattern(pattern: str) -> Holds:
    if not _PLAIN.match(pattern):
        return _unsure
    match = re.compile(pattern[:-1] + r"\Z").match
    return lambda value: match(value) is not None


def _each(check: Holds) -> Holds:
    return lambda found: all(map(check, found))


def _all(checks: Sequence[Holds]) -> Holds | None:
    if not checks:
        return None
    first, *others = checks
    rest = _all(others)
    return first if rest is None else lambda value: first(value) and rest(value)


def _unsure(_value: Any) -> bool:
    return False
