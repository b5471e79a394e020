"""The store's clock, told without asking it: the difference to our own steady clock, renewed by every answer.

Redis' clock is the only clock that jobs know. Ours is read between its answers, so that no call waits for a TIME.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp


class StoreClock:
    """Milliseconds since 1970 by the store's clock, as far as known.

    Args:
        steady_ns: a clock that never goes back, in ns; its zero does not matter.
    """

    def __init__(self, steady_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._steady_ns = steady_ns
        self._offset_ms = time.time_ns() // 1_000_000 - steady_ns() // 1_000_000

    def learn(self, store_ms: int) -> None:
        """Take what the store just said."""
        self._offset_ms = store_ms - self._steady_ns() // 1_000_000

    def now_ms(self) -> int:
        """What the store would say now."""
        return self._steady_ns() // 1_000_000 + self._offset_ms


def timestamp(ms: int) -> Timestamp:
    """Milliseconds since 1970 as a Timestamp."""
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def write_timestamp(into: Timestamp, ms: int) -> None:
    """Write milliseconds since 1970 into a Timestamp."""
    into.seconds, into.nanos = ms // 1000, ms % 1000 * 1_000_000
