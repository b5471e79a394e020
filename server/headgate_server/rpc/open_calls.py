"""How many calls are served at once, and whether there is room for more. Pure.

Once there was none, there is room again only when 10 % of the slots are free, so that readiness does not change with
each call.
"""

from __future__ import annotations

from typing import Final

ROOM_AGAIN: Final = 0.9
"""Share of the slots that may be taken for there to be room again."""


class OpenCalls:
    """The calls that are served, counted.

    Args:
        limit: most of them, 1 or more.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._refused = False

    @property
    def is_full(self) -> bool:
        """Whether a call was refused and no more than 10 % of the slots have been free since."""
        return self._refused and self.count > self.limit * ROOM_AGAIN

    def has_room(self) -> bool:
        """Whether one more call may be served."""
        if self.count < self.limit:
            return True
        self._refused = True
        return False

    def enter(self) -> None:
        """Count a call in."""
        self.count += 1

    def leave(self) -> None:
        """Count a call out."""
        self.count -= 1
        if self._refused and self.count <= self.limit * ROOM_AGAIN:
            self._refused = False
