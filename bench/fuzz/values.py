"""Boundary values of a field: the ends of its type and of its rules, and text that breaks programs."""

from __future__ import annotations

import random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from buf.validate import validate_pb2

TEXTS: Final = (
    *("", "a", "A", "-", "jobs/a", "jobs/", "a" * 63, "a" * 64, "é", "ａ", "a\u0301", "\u202eabc", "\ufeff", "😀" * 16),
    *("a\x00b", "a\r\nb", "\x1b[31m", "\x7f", "\u2028", "%s%n", "../..", "{tag}", "*", "' OR 1=1", "null", "NaN"),
    *('{"a":1}', '{"a":', "[" * 200, "(" * 200, "state = RUNNING", "NOT " * 60 + "state = RUNNING", "0" * 40),
    *("2025-02-30", "9" * 30, "-1", "1e999", "true", "hg:feed", "arq:job:x"),
)
"""Text that is empty, long, look-alike, reversed, cut off, a protocol, a path, a query or half a document."""

_INTEGERS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (0, 1, -1, 2**31 - 1, -(2**31)),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2**53 + 1, 2**64 - 1),
}
_FLOATS: Final = (0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 1e308)
_COUNTS: Final = (0, 1, 2, 99, 100, 101, 1_000)
LONGEST: Final = 70_000
"""Characters of the longest text; what is longer is a matter of the whole request."""


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The field's rules in the .proto; empty where it has none."""
    return field.GetOptions().Extensions[validate_pb2.field]


def scalar(field: Any, rng: random.Random) -> Any:
    """A boundary value of a field that is no message."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING and field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice((0, 1, 100)))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _text(rules_of(field).string, rng)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return rng.choice((*(value.number for value in field.enum_type.values), -1, 99, 2**31 - 1))
    if kind in _INTEGERS:
        return _integer(field, rng)
    return rng.choice(_FLOATS)


def _text(rules: validate_pb2.StringRules, rng: random.Random) -> str:
    bounds = [bound for bound in (rules.max_len, rules.min_len, rules.max_bytes) if 0 < bound <= LONGEST]
    if bounds and rng.random() < 0.4:
        length = max(0, rng.choice(bounds) + rng.choice((-1, 0, 1)))
        return rng.choice("aé中😀0.") * length
    return rng.choice(TEXTS)


def _integer(field: FieldDescriptor, rng: random.Random) -> int:
    rules = rules_of(field)
    found = getattr(rules, rules.WhichOneof("type") or "int64")
    ends = [
        value for name in ("gt", "gte", "lt", "lte") for value in [getattr(found, name, 0)] if isinstance(value, int)
    ]
    near = [end + step for end in ends if end for step in (-1, 0, 1)]
    values = [*_INTEGERS[field.cpp_type], *near]
    return rng.choice([value for value in values if _fits(field.cpp_type, value)])


def _fits(kind: int, value: int) -> bool:
    ends = _INTEGERS[kind]
    return min(ends) <= value <= max(ends)


def count(field: FieldDescriptor, rng: random.Random) -> int:
    """How many elements a repeated field is given: about its bounds."""
    rules = rules_of(field)
    bounds = [bound for bound in (rules.repeated.max_items, rules.map.max_pairs) if bound]
    near = [bound + step for bound in bounds for step in (-1, 0, 1)]
    return rng.choice((*_COUNTS, *near))
