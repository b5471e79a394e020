"""Rows of the store that can't be read: counted, and logged in few lines however often they are met."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

TELL_SECONDS: Final = 10.0
"""Shortest time between two lines."""


class Damage:
    """Counts rows that can't be read and are passed by or refused; `count` is how many.

    Args:
        now: seconds by a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._now = now
        self._untold = 0
        self._quiet_until = 0.0

    def note(self, what: str) -> None:
        """Count a row, and log the count unless a line was written just before.

        Args:
            what: the row, such as the name of a job; nothing of what it holds.
        """
        self.count += 1
        self._untold += 1
        if self._now() < self._quiet_until:
            return
        self._quiet_until = self._now() + TELL_SECONDS
        _log.error("the store has what can't be read, met %d times; the last: %s", self._untold, what)
        self._untold = 0
