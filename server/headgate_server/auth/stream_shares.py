"""How many streams each caller has open in this process; calls that wait for an event count as streams do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from headgate_server.errors.share_exceeded import PROCESS, exceeded, of_caller
from headgate_server.ports.caller import Caller

STREAM_SECONDS: Final = 5.0
"""When a caller with too many streams may come back."""


class StreamShares:
    """The open streams of callers.

    Args:
        most: how many streams of jobs and calls that wait for one this process has at a time.
        open_now: how many there are.
    """

    def __init__(self, most: int, open_now: Callable[[], int]) -> None:
        self._most = most
        self._open_now = open_now
        self._open: Counter[str] = Counter()

    def enter(self, caller: Caller) -> bool:
        """Count a stream in, if there is room for it."""
        if (most := caller.limits.max_watches) and self._open[caller.name] >= most:
            return False
        self._open[caller.name] += 1
        return True

    def leave(self, caller: Caller) -> None:
        """Count a stream out."""
        self._open[caller.name] -= 1
        if self._open[caller.name] <= 0:
            del self._open[caller.name]

    def check_room(self) -> None:
        """Refuse a stream of jobs for which the process has no room.

        Raises:
            Refused: CALLER_LIMIT.
        """
        if self._open_now() >= self._most:
            raise exceeded("watches", self._most, PROCESS, STREAM_SECONDS)

    @contextmanager
    def waiting(self, caller: Caller) -> Iterator[None]:
        """Count a call in that waits for something to happen, until it ends.

        Raises:
            Refused: CALLER_LIMIT, the caller or the process has too many streams.
        """
        self.check_room()
        if not self.enter(caller):
            raise exceeded("watches", caller.limits.max_watches, of_caller(caller.name), STREAM_SECONDS)
        try:
            yield
        finally:
            self.leave(caller)
