"""Time and randomness, as protocols."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time, by the store's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 by the store's clock."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring how long something took."""
        ...

    def learn(self, store_ms: int) -> None:
        """Take over the store's time as just answered."""
        ...


class Jitter(Protocol):
    """Randomness: jitter and nonces."""

    def fraction(self) -> float:
        """A number, 0 <= number < 1."""
        ...

    def nonce(self) -> str:
        """12 hex digits, never the same twice."""
        ...
