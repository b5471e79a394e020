"""Errors by which Redis says that a key is not what a script takes it for. Pure."""

from __future__ import annotations

from typing import Final

DAMAGE_MARKS: Final = ("WRONGTYPE", "is not an integer", "attempt to compare", "attempt to perform arithmetic")
"""Marks of a key of another type, or of a field that is no number, as commands and as scripts meet them."""


def is_damage(error: Exception) -> bool:
    """Whether an error of Redis is about what a key holds, and so about one row."""
    return any(mark in str(error) for mark in DAMAGE_MARKS)
