"""How a server process asks Python and the system to run it. What each gives stands in docs/performance.md."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import Final

_log = logging.getLogger(__name__)

COLLECTOR: Final = (50_000, 1, 1)
"""When the garbage collector looks for cycles: after so many new objects, and at older ones every second time. With
Python's 700 one event to 1,000 watchers makes it look five times, and what is on its way then counts as old and is
looked at again and again. A refused call leaves a cycle of 9 kB, so about 10 MB may be kept. All objects are looked at
after 200,000 new ones (Python: 85,000), so cycles of streams that broke are found not much later.
"""


def tune() -> None:
    """Set the collector, the scheduling of every thread to come, and that a crash leaves no core behind."""
    gc.set_threshold(*COLLECTOR)
    _leave_no_core()
    _take_turns_less_often()


def _leave_no_core() -> None:
    """Write no memory to disk when the process crashes: Redis' password, keys of TLS and payloads are in it."""
    try:
        import resource
    except ImportError:  # not on every platform
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _take_turns_less_often() -> None:
    """Let no thread of ours cut another one short by being woken.

    grpc hands on what arrives from a thread of its own, and each event woke the event loop's thread in its middle: ten
    changes of thread for a call on one core. A batch process has the same share of the CPU, and waits its turn.
    """
    if sys.platform != "linux":
        return
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError as error:
        _log.info("the system keeps its own scheduling (%s)", type(error).__name__)
