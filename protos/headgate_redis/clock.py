"""The store's clock, carried on by this machine's monotonic clock: no call waits for a TIME, no wall clock decides.

Redis' clock is the only clock that jobs know. What its scripts answer sets this one; in between, steady time passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class StoreClock:
    """Milliseconds since 1970 by the store's clock, as far as known.

    Args:
        store_ms: what the store says now; None before it was asked, until when the machine's clock stands in.
        steady_ns: a clock that never goes back, in ns; its zero does not matter.
    """

    def __init__(self, store_ms: int | None = None, *, steady_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._steady_ns = steady_ns
        self._offset_ms = 0
        self.learn(time.time_ns() // 1_000_000 if store_ms is None else store_ms)

    def learn(self, store_ms: int) -> None:
        """Take over the store's time as just answered."""
        self._offset_ms = store_ms - self._steady_ns() // 1_000_000

    def now_ms(self) -> int:
        """What the store would say now."""
        return self._steady_ns() // 1_000_000 + self._offset_ms

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring how long something took."""
        return self._steady_ns() / 1e9
