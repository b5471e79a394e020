"""The store's clock as the server's parts need it, and its times as messages."""

from __future__ import annotations

from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp


class StoreTime(Protocol):
    """Port: the store's clock, which no call waits for."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 by the store's clock."""


def timestamp(ms: int) -> Timestamp:
    """Milliseconds since 1970 as a Timestamp."""
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def write_timestamp(into: Timestamp, ms: int) -> None:
    """Write milliseconds since 1970 into a Timestamp."""
    into.seconds, into.nanos = ms // 1000, ms % 1000 * 1_000_000
