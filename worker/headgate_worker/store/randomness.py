"""Randomness of a worker process: ids from the operating system, jitter from a fast generator."""

from __future__ import annotations

import random
import secrets


class SystemJitter:
    """Randomness of the operating system for ids, of a fast generator for jitter."""

    def fraction(self) -> float:
        """A number, 0 <= number < 1; only ever used for jitter."""
        return random.random()  # noqa: S311

    def nonce(self) -> str:
        """12 hex digits."""
        return secrets.token_hex(6)
