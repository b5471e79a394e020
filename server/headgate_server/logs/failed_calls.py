"""Log lines about calls that failed or were slow: the first few of each kind have one each, the rest are counted.

A flood of failures would fill the disk otherwise; and a flood of one caller hides no call of another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Final

TELL_SECONDS: Final = 5.0
"""Shortest time between two lines that count, and how long a count goes on."""

LINES: Final = 5
"""Calls of one caller and reason that have lines of their own in that time."""

MOST_LINES: Final = 200
"""Calls of all that have lines of their own in that time."""


class FailedCalls:
    """Says which calls have a line of their own, and counts the others. Callers' names are known: it stays small.

    Args:
        log: where the counts go.
        words: what happened to the calls that it counts.
        lines: calls of one caller and reason that have lines of their own.
        most: calls of all that have.
    """

    def __init__(
        self, log: logging.Logger, words: str = "failed besides", *, lines: int = LINES, most: int = MOST_LINES
    ) -> None:
        self._log = log
        self._words = words
        self._lines = lines
        self._most = most
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
        if self._counts[key] < self._lines and self._counts.total() < self._most:
            self._counts[key] += 1
            return True
        self._untold[key] += 1
        self._last = method
        return False

    def tell(self, now: float) -> None:
        """Log the counts, if it is time, and begin anew."""
        if now < self._until:
            return
        if self._untold:
            rows = ", ".join(
                f"{count} {reason} of {caller}" for (reason, caller), count in sorted(self._untold.items())
            )
            self._log.warning("calls %s: %s; the last was %s", self._words, rows, self._last)
        self._counts.clear()
        self._untold.clear()
        self._until = now + TELL_SECONDS

    async def run(self) -> None:
        """Log the counts as their time comes, the last ones too, until cancelled."""
        try:
            while True:
                await asyncio.sleep(TELL_SECONDS)
                self.tell(time.monotonic())
        finally:
            self._until = 0.0
            self.tell(time.monotonic())
