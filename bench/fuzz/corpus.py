"""The corpus: for each method requests that are sound, from which others are made, and bytes that once did harm.

`requests/METHOD.json` is a list of requests in proto3's JSON; `requests/harmful.json` lists methods with bytes in hex
and what they did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from headgate_server.rpc import registry

FOLDER: Final = Path(__file__).with_name("requests")


@dataclass(frozen=True, slots=True)
class Harmful:
    """Bytes that once did harm.

    Args:
        method: full name.
        raw: the request.
        harm: what it did.
    """

    method: str
    raw: bytes
    harm: str


@cache
def methods() -> Mapping[str, MethodDescriptor]:
    """Every method that is served, by full name."""
    return {method.full_name: method for method in registry.methods()}


@cache
def sound(method: str) -> tuple[Message, ...]:
    """Requests of a method that break no rule; one at least."""
    kind = GetMessageClass(methods()[method].input_type)
    rows: list[Any] = json.loads((FOLDER / f"{method}.json").read_text())
    return tuple(json_format.ParseDict(row, kind()) for row in rows)


def harmful() -> Iterator[Harmful]:
    """Everything that once did harm."""
    for row in json.loads((FOLDER / "harmful.json").read_text()):
        yield Harmful(row["method"], bytes.fromhex(row["hex"]), row["harm"])


def path(method: str) -> str:
    """A method as gRPC names it."""
    service, _, name = method.rpartition(".")
    return f"/{service}/{name}"
