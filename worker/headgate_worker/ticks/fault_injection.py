"""Fault injection for experiments: SIGKILL at a named point of a tick. Off unless a setting names a point."""

from __future__ import annotations

import os
import signal
from collections import Counter

from headgate_worker.ticks.tick import POINTS, Checkpoint, no_checkpoint


def crash_point(setting: str) -> Checkpoint:
    """What "point" or "point:n" asks for: die when that point is reached for the n-th time, from 1.

    Raises:
        ValueError: there is no such point, or n is not a number from 1.
    """
    if not setting:
        return no_checkpoint
    point, _, count = setting.partition(":")
    number = int(count or "1")
    if point not in POINTS or number < 1:
        raise ValueError(f"HEADGATE_CRASH_AT: {setting!r} is not one of {', '.join(POINTS)}, perhaps with :n")
    return _Killer(point, number)


class _Killer:
    def __init__(self, point: str, number: int) -> None:
        self._point = point
        self._number = number
        self._seen: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        self._seen[name] += 1
        if name == self._point and self._seen[name] == self._number:
            os.kill(os.getpid(), signal.SIGKILL)
