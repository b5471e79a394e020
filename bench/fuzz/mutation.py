"""Changes a few fields of a sound message, by its descriptor: boundary values, too many elements, too deep a nest.

What is made may be a message that Python can't write, such as one that is nested too deeply: so the result is bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bench.fuzz import values
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import EncodeError, Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value

DEPTHS: Final = (1, 2, 8, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 60, 96, 97, 98, 99, 100, 101, 300)
"""Levels of a nested value: about every round bound, about protobuf's own of 100, and far beyond."""

MAX_ELEMENTS: Final = 1_200
MOST_CHANGES: Final = 3


def mutated(message: Message, rng: random.Random) -> bytes:
    """A message like the one given, a few of its fields changed; the one given is left as it is."""
    changed = type(message)()
    changed.CopyFrom(message)
    for _ in range(rng.randint(1, MOST_CHANGES)):
        _change(changed, rng)
    try:
        raw = changed.SerializeToString()
    except (EncodeError, ValueError):
        raw = message.SerializeToString()
    return raw + _odd_tail(type(message).DESCRIPTOR, rng)


def _change(message: Message, rng: random.Random) -> None:
    holder = rng.choice(list(_holders(message)))
    fields: Sequence[Any] = holder.DESCRIPTOR.fields
    field = rng.choice(fields) if fields else None
    if field is None:
        return
    if rng.random() < 0.15:
        holder.ClearField(field.name)
    elif field.is_repeated:
        _change_many(holder, field, rng)
    elif field.message_type is not None:
        _fill(getattr(holder, field.name), rng)
    else:
        setattr(holder, field.name, values.scalar(field, rng))


def _holders(message: Message, depth: int = 0) -> Iterator[Message]:
    """The message and all messages in it, those of a Struct left out: nests are made by `_nested`."""
    yield message
    if isinstance(message, Struct | Value | ListValue) or depth > 6:
        return
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in list(value)[:20] if field.is_repeated else (value,):
            yield from _holders(part, depth + 1)


def _change_many(holder: Message, field: FieldDescriptor, rng: random.Random) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _change_map(getattr(holder, field.name), field, rng)
        return
    many, wanted = getattr(holder, field.name), min(MAX_ELEMENTS, values.count(field, rng))
    if field.message_type is not None:
        last = many[-1] if many else None
        while len(many) < wanted:
            added = many.add()
            if last is not None:
                added.CopyFrom(last)
    else:
        many.extend(values.scalar(field, rng) for _ in range(max(0, wanted - len(many))))
    del many[wanted:]


def _change_map(found: Any, field: Any, rng: random.Random) -> None:
    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for number in range(min(200, values.count(field, rng))):
        name = values.scalar(key, rng)
        name = f"{name}{number}" if isinstance(name, str) else name
        if value.message_type is not None:
            found[name].SetInParent()
        else:
            found[name] = values.scalar(value, rng)


def _fill(message: Message, rng: random.Random) -> None:
    message.SetInParent()
    if isinstance(message, Struct):
        message[rng.choice(values.TEXTS) or "a"] = values.scalar(_TEXT, rng)
        return
    fields: Sequence[Any] = message.DESCRIPTOR.fields
    for field in fields:
        if not field.is_repeated and field.message_type is None and rng.random() < 0.5:
            setattr(message, field.name, values.scalar(field, rng))


_TEXT: Final[Any] = Value.DESCRIPTOR.fields_by_name["string_value"]


def _odd_tail(descriptor: Any, rng: random.Random) -> bytes:
    """What is put behind a message, which merges with what stands before: a deep nest, or an unknown field."""
    chance = rng.random()
    if chance < 0.2 and (paths := recursive_paths(descriptor)):
        return nested_at(rng.choice(paths), rng.choice(DEPTHS))
    return _field(rng.randint(1, 2_000), rng.randbytes(5)) if chance > 0.95 else b""


Path = tuple[int, ...]


def recursive_paths(descriptor: Descriptor) -> list[Path]:
    """Where in a message a Struct may stand, as field numbers."""
    return list(_paths(descriptor, (), frozenset()))


def _paths(descriptor: Descriptor, path: Path, seen: frozenset[str]) -> Iterator[Path]:
    if descriptor.full_name == Struct.DESCRIPTOR.full_name:
        yield path
        return
    if descriptor.full_name in seen:
        return
    for field in descriptor.fields:
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from _paths(field.message_type, (*path, field.number), seen | {descriptor.full_name})


def nested_at(path: Path, depth: int) -> bytes:
    """A Struct at a path with one member, a list in a list in a list, `depth` lists deep."""
    value = b"\x1a\x01a"  # Value.string_value
    for _ in range(depth):
        value = _field(6, _field(1, value))  # Value.list_value, ListValue.values
    raw = _field(1, _field(1, b"deep") + _field(2, value))  # Struct.fields
    for number in reversed(path):
        raw = _field(number, raw)
    return raw


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def mangled(raw: bytes, rng: random.Random) -> bytes:
    """Bytes with a few of them changed, cut out, put in or doubled."""
    found = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(5):
            case 0:
                found[at:at] = rng.randbytes(rng.randint(1, 8))
            case 1:
                del found[at : at + rng.randint(1, 8)]
            case 2:
                found[at : at + 1] = rng.randbytes(1)
            case 3:
                found[at:at] = rng.choice(values.TEXTS).encode()
            case _:
                found[at:at] = found[: rng.randint(0, 40)]
    return bytes(found)
