"""How busy this process is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 0.1
"""How old the word on the process's load may be. In less than that one piece of work would look like a load."""

HIGH: Final = 0.7
"""Share of a core from which on a process counts as having none to spare."""


class CpuLoad:
    """How busy this process is: its CPU time by the clock, looked at now and then.

    Args:
        cpu: seconds of CPU that the process has taken.
        clock: seconds that have passed.
    """

    def __init__(
        self, cpu: Callable[[], float] = time.process_time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cpu = cpu
        self._clock = clock
        self._at, self._spent = clock(), cpu()
        self.high = False

    def look(self) -> bool:
        """Whether it was time to look at it anew, which sets `high`: whether it took nearly all of a core since."""
        passed = (now := self._clock()) - self._at
        if passed < LOOK_SECONDS:
            return False
        spent = self._cpu()
        self.high = spent - self._spent > HIGH * passed
        self._at, self._spent = now, spent
        return True
