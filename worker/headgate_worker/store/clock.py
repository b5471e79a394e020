"""Time and randomness of a real process. Time is the store's, carried on by this machine's monotonic clock."""

from __future__ import annotations

import random
import secrets
import time


class StoreClock:
    """The store's clock: what the store last said, plus what has passed since. Wall clocks of machines play no part."""

    def __init__(self, now_ms: int) -> None:
        self._offset_ms = now_ms - time.monotonic() * 1000

    def now_ms(self) -> int:
        """Milliseconds since 1970 by the store's clock."""
        return int(time.monotonic() * 1000 + self._offset_ms)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def set(self, now_ms: int) -> None:
        """Take over what the store has just said."""
        self._offset_ms = now_ms - time.monotonic() * 1000


class SystemJitter:
    """Randomness of the operating system for ids, of a fast generator for jitter."""

    def fraction(self) -> float:
        """A number, 0 <= number < 1; only ever used for jitter."""
        return random.random()  # noqa: S311

    def nonce(self) -> str:
        """12 hex digits."""
        return secrets.token_hex(6)
