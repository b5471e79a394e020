"""How a process asks Python and the system to run it, alike in servers and workers; figures: docs/performance.md."""

from __future__ import annotations

import gc
from typing import Final

COLLECTOR: Final = (50_000, 1, 1)
"""When the garbage collector looks for cycles: after 50,000 new objects, and at older ones every second time.

With Python's 700 one event to 1,000 watchers makes it look five times, and every second tick once; what is on its way
then counts as old and is looked at again and again. A call leaves cycles of five objects, which grpc makes.
All objects are looked at after 200,000 new ones (Python: 85,000), so cycles of broken streams are found not much later.
"""


def tune_collector() -> None:
    """Look for cycles as `COLLECTOR` says."""
    gc.set_threshold(*COLLECTOR)


def leave_no_core() -> None:
    """Write no memory to disk when the process crashes: passwords, keys, credentials and payloads are in it."""
    try:
        import resource
    except ImportError:  # not on every platform
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
