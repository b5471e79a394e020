"""How often a caller may call: a bucket that fills steadily, holds a second's worth, and is drawn from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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


def full(per_second: float, now: float) -> Bucket:
    """The bucket of a caller that has not called for a while."""
    return Bucket(_room(per_second), now)


def draw(bucket: Bucket, per_second: float, now: float) -> tuple[Bucket, float]:
    """Take one call out of a bucket: what is left, and in how many seconds to come back; 0 when the call may go on.

    Args:
        bucket: the bucket.
        per_second: how fast it fills, above 0. It may be another rate than before.
        now: by the clock of `bucket.at`.
    """
    calls = min(_room(per_second), bucket.calls + max(0.0, now - bucket.at) * per_second)
    if calls >= 1:
        return Bucket(calls - 1, now), 0.0
    return Bucket(calls, now), (1 - calls) / per_second


def _room(per_second: float) -> float:
    return max(1.0, per_second * BURST_SECONDS)
