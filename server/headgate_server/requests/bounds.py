"""How large and how deep a request may be, whatever its fields hold. Pure.

Field rules bound each text and each list. What they can't state stands here: the bytes of a whole request, and what
JSON values may be, which have no end of their own. Protobuf reads no more than 100 levels, and a job's first event, a
message that shows it and an Any around that are each deeper than the request; so the bound is far below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from headgate_server.requests.date_rules import Violation

MAX_REQUEST_BYTES: Final = 512 * 1024
"""Most bytes of a request; a job with a long log is to fit twice into the 4 MiB that a client takes by default."""

MAX_JSON_BYTES: Final = 64 * 1024
"""Most bytes of one field that holds JSON."""

MAX_JSON_VALUES: Final = 1_000
"""Most values in it: texts, numbers, lists, objects and their members, all together."""

MAX_JSON_LEVELS: Final = 16
"""How deep lists and objects may stand in each other; the field itself is the first level."""

MAX_KEY_BYTES: Final = 256
"""Most bytes of a member's name."""

LIMITS: Final = {
    "max_request_bytes": MAX_REQUEST_BYTES,
    "max_json_bytes": MAX_JSON_BYTES,
    "max_json_values": MAX_JSON_VALUES,
    "max_json_levels": MAX_JSON_LEVELS,
}
"""The bounds that GetServerInfo lists."""

JSON_TYPES: Final = frozenset(f"google.protobuf.{name}" for name in ("Struct", "Value", "ListValue"))
"""Types that hold themselves; a test finds every other one that a request may have."""

Held = tuple[str, Message]
"""A part of a request, with its path."""

Way = tuple[tuple[str, bool], ...]
"""Names of fields, one within the other, and whether each is repeated."""


def violations(request: Message) -> list[Violation]:
    """What of a request is too large or too deep; at most one complaint of each field."""
    if request.ByteSize() > MAX_REQUEST_BYTES:
        return [_too_large(request)]
    found = ((path, _complaint(held)) for path, held in _json_fields(request))
    return [(path, said) for path, said in found if said]


def _too_large(request: Message) -> Violation:
    path, size = _largest(request)
    return path, (
        f"makes the request too large: it has {request.ByteSize():,} bytes, {size:,} of them here, and at most "
        f"{MAX_REQUEST_BYTES:,} are taken; split it, or let scripts load what is large"
    )


def _largest(message: Any) -> tuple[str, int]:
    """The part of a message with the most bytes, as deep as it is most of its whole, and how many these are."""
    path, size = "", message.ByteSize()
    while True:
        name, part, part_size = max(_parts(message), key=lambda one: one[2], default=("", None, 0))
        if path and part_size < size / 2:
            return path, size
        path, size = f"{path}.{name}".strip("."), part_size
        if not isinstance(part, Message) or part.DESCRIPTOR.full_name in JSON_TYPES:
            return path, size
        message = part


def _parts(message: Message) -> Iterator[tuple[str, Any, int]]:
    for field, value in message.ListFields():
        if not field.is_repeated:
            yield field.name, value, _size(value)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from ((f"{field.name}[{index}]", part, _size(part)) for index, part in enumerate(value))
        else:
            yield field.name, None, sum(map(_size, value.values() if hasattr(value, "values") else value))


def _size(value: Any) -> int:
    if isinstance(value, Message):
        return value.ByteSize()
    return len(value.encode() if isinstance(value, str) else value) if isinstance(value, str | bytes) else 8


def _complaint(held: Message) -> str:
    if held.ByteSize() > MAX_JSON_BYTES:
        return f"has {held.ByteSize():,} bytes; at most {MAX_JSON_BYTES:,} are taken"
    return _BoundsCheck().complaint(held)


@dataclass(slots=True)
class _BoundsCheck:
    """A walk through JSON values, without recursion, that ends with the first complaint."""

    seen: int = 0

    def complaint(self, root: Message) -> str:
        left: list[tuple[Message, int]] = [(root, 1)]
        while left:
            value, level = left.pop()
            if said := self._look(value, level):
                return said
            left += _inside(value, level)
        return ""

    def _look(self, value: Message, level: int) -> str:
        if level > MAX_JSON_LEVELS:
            return f"is nested too deeply: lists and objects may stand in each other {MAX_JSON_LEVELS} levels deep"
        self.seen += isinstance(value, Value)
        if self.seen > MAX_JSON_VALUES:
            return f"has more than {MAX_JSON_VALUES:,} values"
        if isinstance(value, Struct):
            return _key_complaint(value)
        return _value_complaint(value) if isinstance(value, Value) else ""


def _inside(value: Message, level: int) -> list[tuple[Message, int]]:
    if isinstance(value, Struct):
        return [(inner, level) for inner in value.fields.values()]
    if isinstance(value, ListValue):
        return [(inner, level) for inner in value.values]
    kind = value.WhichOneof("kind") if isinstance(value, Value) else None
    return [(getattr(value, kind), level + 1)] if kind in ("struct_value", "list_value") else []


def _key_complaint(found: Struct) -> str:
    if any(len(key.encode()) > MAX_KEY_BYTES for key in found.fields):
        return f"has a name of more than {MAX_KEY_BYTES} bytes"
    return ""


def _value_complaint(value: Value) -> str:
    kind = value.WhichOneof("kind")
    if kind is None:
        return "has a value of no kind; null is a kind"
    return "has a number that JSON can't say" if kind == "number_value" and not isfinite(value.number_value) else ""


def _json_fields(request: Message) -> list[Held]:
    ways = _ways_of.get(type(request))
    if ways is None:
        ways = _ways_of[type(request)] = list(_ways(request.DESCRIPTOR, ()))
    return [held for way in ways if _may_hold(request, way) for held in _at(request, way)]


def _may_hold(request: Any, way: Way) -> bool:
    """Whether a way is there as far as its first list: nearly no request has JSON, and each is asked."""
    for name, is_repeated in way:
        if is_repeated:
            return True
        if not request.HasField(name):
            return False
        request = getattr(request, name)
    return True


def _at(request: Message, way: Way) -> list[Held]:
    """The fields at the end of a way, each with its path; none where nothing was set."""
    found: list[Held] = [("", request)]
    for name, is_repeated in way:
        found = [held for path, message in found for held in _next(path, message, name, is_repeated)]
        if not found:
            break
    return found


def _next(path: str, message: Any, name: str, is_repeated: bool) -> list[Held]:
    below = f"{path}.{name}" if path else name
    if is_repeated:
        return [(f"{below}[{index}]", part) for index, part in enumerate(getattr(message, name))]
    return [(below, getattr(message, name))] if message.HasField(name) else []


_ways_of: Final[dict[type[Message], list[Way]]] = {}


def _ways(descriptor: Any, above: tuple[str, ...]) -> Iterator[Way]:
    """The ways from a type of message to all JSON in it; types that hold none are never looked into."""
    for field in descriptor.fields:
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry or inner.full_name in above:
            continue
        step = (field.name, field.is_repeated)
        if inner.full_name in JSON_TYPES:
            yield (step,)
        else:
            yield from ((step, *rest) for rest in _ways(inner, (*above, inner.full_name)))
