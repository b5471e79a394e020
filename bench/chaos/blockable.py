"""`python -m bench.chaos.blockable SECONDS`: becomes a worker whose loop stands still for so long at each SIGUSR1.

As with a pure computation or a blocking call in the wrong place, the process lives and its threads run, but nothing
that the loop owns goes on, neither renewals of leases nor answers on the ops port.
"""

from __future__ import annotations

import runpy
import signal
import sys
import time


def main() -> None:
    """Take the signal, then be the worker."""
    seconds = float(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(seconds))
    runpy.run_module("headgate_worker", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
