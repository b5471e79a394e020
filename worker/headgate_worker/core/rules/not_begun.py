"""What is to be stopped only as long as it has not begun, and the reads that show that, right before the stop.

A halt, a recall and a drain let run what runs. Upstream may have started a child whose parent's end was read late, and
a stop can't spare it: so the first instance of each chain is read, and what waits behind it goes with it.
Between the read and the stop an instance may still begin; `attribution` finds that out.
"""

from __future__ import annotations

from typing import Final

from headgate import pb
from headgate.job.lifecycle import RUN_FRONTIER
from headgate.quota import limits
from headgate_worker.core.facts.runs import IDLE, by_instance
from headgate_worker.core.model.calls import GetInstance
from headgate_worker.core.model.steps import Act
from headgate_worker.core.model.view import View

FRESH_MS: Final = 5_000
"""How old a read may be on which a stop is sent."""

QUEUED_MS: Final = 600_000
"""The same for a stop that waits for its slot of the quota: to read again would cost it its place."""


def ready(view: View, wanted: list[pb.InstanceRun]) -> list[pb.InstanceRun] | Act:
    """The runs that may be stopped now, out of those that are to be; or else the read that comes first.

    All chains are read before the first stop, as long as that takes no longer than half of what a read holds for.
    """
    shown_by = _witnesses(view, wanted)
    known_ms = {index: _known_ms(view, view.runs[index]) for index in set(shown_by.values())}
    oldest_ms = view.now_ms - _holds_ms(view)
    fresh = [run for run in wanted if known_ms[shown_by[run.index]] >= oldest_ms]
    stale = [index for index in sorted(known_ms) if known_ms[index] < oldest_ms]
    read_ms = [known_ms[shown_by[run.index]] for run in fresh]
    if fresh and (not stale or min(read_ms) < view.now_ms - _holds_ms(view) // 2):
        return fresh
    return Act(call=GetInstance(view.runs[stale[0]].workflow_instance_id), subject=stale[0])


def _holds_ms(view: View) -> int:
    queued = view.hints.slot_class == limits.WRITE or view.hints.queues_since_ms
    return QUEUED_MS if queued else FRESH_MS


def _known_ms(view: View, run: pb.InstanceRun) -> int:
    """When the run was last read not to have ended, or not to have begun where it does not run; 0 for never."""
    times = view.hints.idle_at_ms if run.state in IDLE else view.hints.read_at_ms
    return times.get(run.index, 0)


def _witnesses(view: View, wanted: list[pb.InstanceRun]) -> dict[int, int]:
    """By the index of each run, the index of the one whose read shows that it has not begun."""
    rows, found = by_instance(view.job), dict[int, int]()
    for run in wanted:
        chain, one = {run.index: None}, run
        while (parent := _holder(rows, one)) is not None and parent.index not in found and parent.index not in chain:
            chain[(one := parent).index] = None
        last = found.get(parent.index, one.index) if parent is not None else one.index
        found.update(dict.fromkeys(chain, last))
    return found


def _holder(rows: dict[int, pb.InstanceRun], run: pb.InstanceRun) -> pb.InstanceRun | None:
    """The run that keeps another from beginning as long as it has not ended itself; None where none is known to."""
    parent = rows.get(run.blocked_by_id) if run.state == pb.RUN_STATE_BLOCKED else None
    return parent if parent is not None and parent.state in IDLE | RUN_FRONTIER else None
