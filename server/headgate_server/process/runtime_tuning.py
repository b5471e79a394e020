"""How a server process is run: what it shares with workers, and its scheduling. docs/performance.md has figures."""

from __future__ import annotations

import gc
import logging
import os
import sys

from headgate_ops.process_tuning import leave_no_core, tune_collector

_log = logging.getLogger(__name__)


def tune() -> None:
    """Set the collector, the scheduling of every thread to come, and that a crash leaves no core behind."""
    tune_collector()
    leave_no_core()
    _take_turns_less_often()


def settle() -> None:
    """Take what is there once the process is ready out of the collector's sight: modules, descriptors, handlers.

    They stay as long as the process, and to look at them is most of what a collection of all objects costs where few
    streams are open, 20 to 60 ms for which every call waits.
    """
    gc.freeze()


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
