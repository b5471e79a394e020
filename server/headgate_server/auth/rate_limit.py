"""Shares of callers and connections: buckets for what is used up by time, and the refusal when a share is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CALL_BYTES: Final = 4_096
"""Bytes of a request that count as one call more: what is large costs the server, Redis and workers by its size."""

READ_CALL_BYTES: Final = 65_536
"""Bytes that are read from the store for a list, and of any answer, that count as one call more. To read and to write
so many takes the server about as long as a call does."""

CALL_INSTANCES: Final = 4
"""Instances that a watch is opened of that count as one call more: each is looked up, and read by a worker where it was
not lately, so that a caller whose watches end and are opened again at once would keep all of them busy."""

BURST_SECONDS: Final = 1.0
"""How long a bucket takes to fill: a caller that was silent may make so many calls at once, one at least."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls that may be made at once.

    Args:
        calls: how many there were.
        at: when, in seconds by a clock that never goes back.
    """

    calls: float
    at: float


def full(per_second: float, now: float, burst_seconds: float = BURST_SECONDS) -> Bucket:
    """The bucket of a caller that has not called for a while."""
    return Bucket(_room(per_second, burst_seconds), now)


def draw(
    bucket: Bucket, per_second: float, now: float, *, calls: float = 1.0, burst_seconds: float = BURST_SECONDS
) -> tuple[Bucket, float]:
    """Take calls out of a bucket: what is left, and in how many seconds to come back; 0 when they may go on.

    Args:
        bucket: the bucket.
        per_second: how fast it fills, above 0. It may be another rate than before.
        now: by the clock of `bucket.at`.
        calls: how many; more than the bucket holds take all of it.
        burst_seconds: how long the bucket takes to fill.
    """
    room = _room(per_second, burst_seconds)
    there, wanted = min(room, bucket.calls + max(0.0, now - bucket.at) * per_second), min(room, calls)
    if there >= wanted:
        return Bucket(there - wanted, now), 0.0
    return Bucket(there, now), (wanted - there) / per_second


def owe(bucket: Bucket, calls: float) -> Bucket:
    """Take calls that were made already: the bucket may owe some afterwards, and fills up to nothing first."""
    return Bucket(bucket.calls - calls, bucket.at)


def _room(per_second: float, burst_seconds: float) -> float:
    return max(1.0, per_second * burst_seconds)
