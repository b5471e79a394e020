"""Read members of a JSON object that need not be what its page says. Pure; nothing here fails.

A flow is followed by its id and status alone, so a member that can't be read is left out of the row, and never costs a
poll. Numbers that are printed as text, and texts that are numbers, are taken either way.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

TEXT_LENGTH = 64 * 1024
"""Characters of a member that are kept."""


def text(row: Mapping[str, Any], name: str) -> str:
    """A text, or a number as text; empty where there is neither."""
    value = row.get(name)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def plain(row: Mapping[str, Any], name: str) -> str:
    """A text as it is, and a list or object as JSON text."""
    value = row.get(name)
    if isinstance(value, list | dict):
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return text(row, name)


def clean(value: str) -> str:
    """At most TEXT_LENGTH characters that a message may hold; broken surrogates become question marks."""
    cut = value[:TEXT_LENGTH]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()


def number(row: Mapping[str, Any], name: str) -> int | None:
    """A whole number of 32 bits; None where there is none."""
    value = row.get(name)
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 12:
        value = int(value) if value.strip().removeprefix("-").isdecimal() else None
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**31) <= value < 2**31:
        return None
    return value


def whole(row: Mapping[str, Any], name: str) -> int:
    """An id of 63 bits, given as a number or as text; 0 where there is none."""
    value = row.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        return 0
    return value


def real(row: Mapping[str, Any], name: str) -> float:
    """A position; 0 where there is none."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    return value if isinstance(value, float) and math.isfinite(value) else 0.0


def flag(row: Mapping[str, Any], name: str) -> bool:
    """A boolean, given as one or as text; false where there is none."""
    value = row.get(name)
    return value is True or (isinstance(value, str) and value.lower() == "true")


def listed(row: Mapping[str, Any], name: str) -> list[Any]:
    """A list; empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, list) else []
