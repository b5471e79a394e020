"""Slots that calls of many connections share: a bound for all of them, one per connection, and who loses one. Pure.

A newcomer always has a slot. Where there is none left, the connection that holds most gives up its oldest, so that
no connection is kept out by one that takes too many.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)


@dataclass(frozen=True, slots=True)
class SlotBounds:
    """How many slots there are.

    Args:
        total: of all connections together, 1 or more.
        per_connection: of each, 1 or more.
    """

    total: int
    per_connection: int


class SlotTable(Generic[C]):
    """Which call holds a slot, by connection, oldest first."""

    def __init__(self, bounds: SlotBounds) -> None:
        self.bounds = bounds
        self._connections: dict[C, str] = {}
        self._calls: dict[str, dict[C, None]] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def __contains__(self, call: C) -> bool:
        return call in self._connections

    def take(self, call: C, connection: str) -> C | None:
        """Give a call a slot; the call that has lost its own for it, if one had to."""
        self._connections[call] = connection
        own = self._calls.setdefault(connection, {})
        own[call] = None
        if len(own) > self.bounds.per_connection:
            return self._lose(own)
        return self._lose(max(self._calls.values(), key=len)) if len(self) > self.bounds.total else None

    def free(self, call: C) -> None:
        """Take a call's slot back, if it has one."""
        connection = self._connections.pop(call, None)
        if connection is None:
            return
        del self._calls[connection][call]
        if not self._calls[connection]:
            del self._calls[connection]

    def _lose(self, calls: dict[C, None]) -> C:
        oldest = next(iter(calls))
        self.free(oldest)
        return oldest
