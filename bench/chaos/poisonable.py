"""`python -m bench.chaos.poisonable MEGABYTES`: becomes a worker with so much address space that breaks at some jobs.

Such a job is named `poison-` and a way to break: the worker breaks that way whenever it decides about the job, and says
so first. What a fault of our own code would do, or a library's, at one job and no other.
"""

from __future__ import annotations

import os
import resource
import runpy
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Final, NoReturn
from unittest.mock import patch

from headgate.store import keys
from headgate_worker.core import planner as core
from headgate_worker.core.model.calls import Outcome
from headgate_worker.core.model.steps import Act, Change, Step
from headgate_worker.core.model.view import View
from headgate_worker.ticks import engine

PREFIX: Final = "poison-"
"""Beginning of the id of a job that is poisoned."""

LATE: Final = "late"
"""The way that lets the job's calls go out, and breaks when what came of one is to be recorded."""


def poisoned(way: str) -> str:
    """The id of the job that is poisoned in a way."""
    return f"{PREFIX}{way}"


def announced(way: str) -> str:
    """What a worker says when it breaks."""
    return f"breaks by {way}."


def _killed() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def _at_once() -> NoReturn:
    raise AssertionError(len(bytearray(2 << 30)))


def _hoard() -> NoReturn:
    hoarded: list[bytearray] = []
    while True:
        hoarded.append(bytearray(1 << 18))


def _deep() -> NoReturn:
    _deep()


def _error() -> NoReturn:
    raise LookupError("of all things")


WAYS: Final[Mapping[str, Callable[[], NoReturn]]] = {
    "killed": _killed,
    "exit": lambda: os._exit(3),
    "sys-exit": lambda: sys.exit(3),
    "allocation": _at_once,
    "hoard": _hoard,
    "recursion": _deep,
    "error": _error,
    LATE: _error,
}
"""How a tick breaks. SIGKILL is also what the kernel sends to who takes more memory than its group may have."""


def _break(view: View, *, late: bool) -> None:
    way = keys.job_id(view.job.name).removeprefix(PREFIX)
    if view.job.name.startswith(f"jobs/{PREFIX}") and (way == LATE) is late:
        sys.stdout.write(f"{announced(way)}\n")
        sys.stdout.flush()
        WAYS[way]()


def _plan(view: View) -> Step:
    _break(view, late=False)
    return core.plan(view)


def _absorb(view: View, act: Act, outcome: Outcome) -> Change:
    _break(view, late=True)
    return core.absorb(view, act, outcome)


def main() -> None:
    """Take the limit, then be the worker."""
    limit = int(sys.argv.pop(1)) << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with patch.object(engine, "plan", _plan), patch.object(engine, "absorb", _absorb):
        runpy.run_module("headgate_worker", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
