"""`python -m bench.pinned CORE MODULE [ARGUMENT ...]`: run a module on one core, where the system can do that."""

from __future__ import annotations

import os
import runpy
import sys

if __name__ == "__main__":
    core, module = int(sys.argv[1]), sys.argv[2]
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
