"""Log lines about calls that failed or were slow: the first few of each kind have one each, the rest are counted.

Whoever fails in a flood would else fill the disk; and a flood of one caller hides no call of another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Final

_log = logging.getLogger("headgate_server.access")

TELL_SECONDS: Final = 5.0
"""Shortest time between two lines that count, and how long a count goes on."""

LINES: Final = 5
"""Calls of one caller and reason that have lines of their own in that time."""

MOST_LINES: Final = 200
"""Calls of all that have lines of their own in that time."""


class FailedCalls:
    """Says which calls have a line of their own, and counts the others. Callers' names are known: it stays small."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._untold: Counter[tuple[str, str]] = Counter()
        self._last = ""
        self._until = 0.0

    def has_line(self, reason: str, caller: str, method: str, now: float) -> bool:
        """Count a call; whether it is logged by itself.

        Args:
            reason: why it failed.
            caller: whose call it was.
            method: what was called.
            now: seconds by a clock that never goes back.
        """
        self.tell(now)
        key = (reason, caller)
        if self._counts[key] < LINES and self._counts.total() < MOST_LINES:
            self._counts[key] += 1
            return True
        self._untold[key] += 1
        self._last = method
        return False

    def tell(self, now: float) -> None:
        """Tell what was counted, if it is time, and begin anew."""
        if now < self._until:
            return
        if self._untold:
            rows = ", ".join(
                f"{count} {reason} of {caller}" for (reason, caller), count in sorted(self._untold.items())
            )
            _log.warning("calls failed besides: %s; the last was %s", rows, self._last)
        self._counts.clear()
        self._untold.clear()
        self._until = now + TELL_SECONDS

    async def run(self) -> None:
        """Tell of the last ones, too, until cancelled."""
        try:
            while True:
                await asyncio.sleep(TELL_SECONDS)
                self.tell(time.monotonic())
        finally:
            self._until = 0.0
            self.tell(time.monotonic())
