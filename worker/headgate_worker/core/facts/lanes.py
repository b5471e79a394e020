"""Lanes: how many dates of a backfill may still begin beside those that run, and which of a create that stands ready.

Upstream keeps to the parallelism within one create only, and runs the rest of a chain by itself once its first date is
started. So a chain of a later create is started when a lane is free, and not before. What was named in a start, and
waits for another that was, needs no lane of its own: that holds whichever way upstream links its instances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from headgate import pb
from headgate.job.lifecycle import RUN_TERMINAL
from headgate_worker.core.facts.job_kinds import created_width, date_key, newest_first, run_properties

_OVER = RUN_TERMINAL | {pb.RUN_STATE_PLANNED}


def held(rows: Iterable[pb.InstanceRun]) -> int:
    """Most of these unfinished runs that may run side by side from now on, as far as it is known who waits for whom.

    Each waits for one other at most, so that it is the number of those for which none waits.
    """
    left = list(rows)
    waited_for = {run.blocked_by_id for run in left if run.state == pb.RUN_STATE_BLOCKED}
    return sum(run.workflow_instance_id not in waited_for for run in left)


def free(job: pb.Job, current: int) -> int:
    """How many more chains may be started beside what runs; `current` is the operation that is started as a whole."""
    left = [run for run in job.runs if run.state not in _OVER]
    named = [run for run in left if run.operation_index == current or run.state not in _UNNAMED]
    rows = defaultdict[int, list[pb.InstanceRun]](list)
    for run in named:
        rows[run.operation_index].append(run)
    taken = sum(min(created_width(job, operation), held(runs)) for operation, runs in rows.items())
    return max(0, run_properties(job).parallelism - taken)


_UNNAMED = frozenset({pb.RUN_STATE_CREATED, pb.RUN_STATE_CREATING})


def next_chains(job: pb.Job, operation: pb.UpstreamOperation, ready: Sequence[pb.InstanceRun], lanes: int) -> list[int]:
    """The instances to be started on so many free lanes, by whole chains in their order; of chains under way, at once.

    None where the create is not known to be as it was asked for: then the chains are not known.
    """
    rows = [run for run in job.runs if run.operation_index == operation.index and run.workflow_instance_id]
    width = created_width(job, operation.index)
    if not width or len(rows) != len(operation.workflow_instance_ids):
        return []
    rows.sort(key=date_key, reverse=newest_first(job))
    wanted, found = {run.index for run in ready}, list[int]()
    for chain in (rows[n::width] for n in range(min(width, len(rows)))):
        waiting = [run.workflow_instance_id for run in chain if run.index in wanted]
        under_way = any(run.state not in _OVER | _UNNAMED for run in chain)
        if waiting and (under_way or lanes > 0):
            found += waiting
            lanes -= not under_way
    return found
