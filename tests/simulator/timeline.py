"""Virtual time: what happens next, and when. Nothing here waits for anything."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Timeline:
    """Everything that is going to happen, in order; things due at the same ms happen in the order they were set.

    Args:
        now_ms: the time to begin at.
    """

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self._count = 0
        self._due: list[tuple[int, int, Action]] = []

    def after(self, delay_ms: int, action: Action) -> None:
        """Let something happen in `delay_ms`, 0 or more."""
        self.at(self.now_ms + max(0, delay_ms), action)

    def at(self, when_ms: int, action: Action) -> None:
        """Let something happen at a time; at once if that is past."""
        self._count += 1
        heapq.heappush(self._due, (max(when_ms, self.now_ms), self._count, action))

    def step(self, until_ms: int) -> bool:
        """Let the next thing happen if it is due by `until_ms`; whether there was one."""
        if not self._due or self._due[0][0] > until_ms:
            return False
        self.now_ms, _, action = heapq.heappop(self._due)
        action()
        return True
