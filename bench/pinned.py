"""`python -m bench.pinned CORE PROGRAM MODULE [ARGUMENT ...]`: run a module on one core, where the system can do that.

PROGRAM is another interpreter, or "-" for this one.
"""

from __future__ import annotations

import os
import runpy
import sys

if __name__ == "__main__":
    core, program, module = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    if program != "-":
        os.execv(program, (program, "-m", *sys.argv[3:]))
    sys.argv = [module, *sys.argv[4:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
