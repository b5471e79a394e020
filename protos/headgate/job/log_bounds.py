"""How long one job's log may become, in events and in bytes.

There are two bounds. What callers add (pause, resume, resolve, retry) stays below the lower one, so that whatever they
do leaves the worker room to bring the job to its end. The higher one is for the worker: no honest job reaches it, and
one that does ends there. What ends a job, or asks for its end, is always let in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVENTS: Final = "log_events"
"""Name of the quota of events."""

BYTES: Final = "log_bytes"
"""Name of the quota of bytes."""


@dataclass(frozen=True, slots=True)
class LogBounds:
    """Most events and bytes that a log may have after a commit; 0 stands for no bound."""

    events: int = 0
    bytes: int = 0


UNBOUNDED: Final = LogBounds()
"""For what ends a job, or asks for its end, and for what a bound on requests holds down already."""

CALLERS: Final = LogBounds(200_000, 128 * 1024 * 1024)
"""For what callers add to a job that is there."""

WORKERS: Final = LogBounds(400_000, 256 * 1024 * 1024)
"""For what a worker adds."""
