"""Parameters newer than our proto files, as the text that goes into the form. Pure.

A Struct holds every number as a double, so a whole number above 2**53 may already be another one by the time it
arrives here: it is refused, and has to be given as a string. Strings are passed on untouched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

from headgate_worker.upstream.http.failures import UnsendableCall

LARGEST_EXACT = 2**53


class UnsendableToDataWorks(UnsendableCall):
    """A call that can't be put into a request; nothing was sent."""


def parameters(extra: struct_pb2.Struct) -> Mapping[str, str]:
    """Each member as form text: objects and lists as JSON, booleans as the SDK writes them; nulls are left out.

    Raises:
        ValueError: a number is not finite, or whole and above 2**53.
    """
    plain = {name: _plain(value, name) for name, value in extra.fields.items()}
    return {name: _text(value) for name, value in plain.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def _plain(value: struct_pb2.Value, name: str) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: _plain(item, f"{name}.{key}") for key, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(item, f"{name}[{index}]") for index, item in enumerate(value.list_value.values)]
    if kind == "number_value":
        return _number(value.number_value, name)
    return None if kind in (None, "null_value") else getattr(value, kind)


def _number(value: float, name: str) -> int | float:
    if not abs(value) <= LARGEST_EXACT:
        raise ValueError(f"extra.{name}: a number above 2**53 has to be given as a string")
    return int(value) if value.is_integer() else value
