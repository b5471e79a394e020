"""How long the answer to a denied call is held back: callers that are denied often wait for it.

A client that tries again at once, whatever the answer says, would keep the server busy with denying it. Held back, its
calls take up room on its own connection, and it makes fewer. The first ones of a second are answered at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final

PROMPT_PER_SECOND: Final = 20.0
"""Denials that are answered at once; what comes beyond is answered at this rate."""

LONGEST_SECONDS: Final = 1.0
"""Longest time that an answer is held back, however many there are."""

MOST: Final = 2_000
"""Answers of one process that are held back at a time."""


class HeldDenials:
    """The denied calls of one process, by who made them: a caller, or the connection of one that is not known.

    Args:
        most: answers that are held back at a time; beyond, they are given at once.
        now: seconds by a clock that never goes back.
        jitter: a number from 0 to 1, another one each time.
    """

    def __init__(
        self,
        most: int = MOST,
        now: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._jitter = jitter
        self._most = most
        self._now = now
        self._due: dict[str, float] = {}
        self._forget_at = 0.0
        self._held = 0

    def __len__(self) -> int:
        return len(self._due)

    def seconds(self, subject: str) -> float:
        """Count a denied call; for how long its answer is held back, 0 for not at all.

        Args:
            subject: a caller's name, or address and port of a connection.
        """
        now = self._now()
        self._forget(now)
        due = max(self._due.get(subject, 0.0), now - 1.0) + 1.0 / PROMPT_PER_SECOND
        if due > now + LONGEST_SECONDS:
            # Spread, so that many that are held at a time do not come back at a time.
            due = now + LONGEST_SECONDS * (0.5 + 0.5 * self._jitter())
        self._due[subject] = max(due, self._due.get(subject, 0.0))
        return due - now if due > now and self._held < self._most else 0.0

    async def hold(self, seconds: float, remaining: float | None) -> None:
        """Hold an answer back, but for no more than half of the time that its call has left.

        Args:
            seconds: by `seconds`.
            remaining: seconds until the call's deadline; None where it has none.
        """
        if seconds <= 0:
            return
        self._held += 1
        try:
            await asyncio.sleep(seconds if remaining is None else min(seconds, max(0.0, remaining / 2)))
        finally:
            self._held -= 1

    def _forget(self, now: float) -> None:
        """Forget subjects without a denial for a second; connections come and go."""
        if now >= self._forget_at:
            self._due = {subject: due for subject, due in self._due.items() if due > now - 1.0}
            self._forget_at = now + 1.0
