"""Log lines about denied calls: a few, however many calls there are."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

_log = logging.getLogger(__name__)

TELL_SECONDS: Final = 5.0
"""Shortest time between two lines."""


class DenialLog:
    """Counts denied calls, and logs the counts. Callers' names are known ones, so that it stays small."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last = ""
        self._quiet_until = 0.0

    def note(self, reason: str, caller: str, where: str, now: float) -> None:
        """Count a call, and log it at once unless a line was written just before.

        Args:
            reason: why it was denied.
            caller: whose call it was; empty when that is not known.
            where: method and address.
            now: seconds by a clock that never goes back.
        """
        self._counts[reason, caller] += 1
        self._last = where
        self.tell(now)

    def tell(self, now: float) -> None:
        """Log the counts, if there are any and it is time."""
        if not self._counts or now < self._quiet_until:
            return
        self._quiet_until = now + TELL_SECONDS
        told = ", ".join(
            f"{count} {reason}{f' of {caller}' if caller else ''}"
            for (reason, caller), count in sorted(self._counts.items())
        )
        _log.warning("calls turned away: %s; the last at %s", told, self._last)
        self._counts.clear()
