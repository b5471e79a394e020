"""Rules on how instances run that tie several fields together. Pure.

They stand here and not as expressions in the .proto files: evaluating those cost more than all else of a submit
(docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headgate import pb
from headgate_server.requests.date_rules import Violation

_ONE_ROOT: Final = (pb.BACKFILL_MODE_GENERAL, pb.BACKFILL_MODE_ALL_DOWNSTREAM)


def backfill(path: str, spec: pb.BackfillSpec) -> Iterator[Violation]:
    """Complain about how a backfill is to run. That it says how at all is a field rule."""
    yield from window(path, spec)
    found, at = spec.default_run_properties, f"{path}.default_run_properties"
    if not spec.HasField("default_run_properties"):
        return
    yield from properties(at, found)
    if found.mode != pb.BACKFILL_MODE_CHAIN and not found.root_task_ids:
        yield at, "a backfill needs root_task_ids, except in Chain mode"
    if not found.HasField("parallelism"):
        yield at, "a backfill needs parallelism, 1 to 10"


def properties(path: str, found: pb.DefaultRunProperties) -> Iterator[Violation]:
    """Complain about tasks that do not suit the mode."""
    if found.mode in _ONE_ROOT and len(found.root_task_ids) != 1:
        yield f"{path}.root_task_ids", "General and AllDownstream take exactly one root task"
    if found.mode != pb.BACKFILL_MODE_CHAIN:
        return
    if found.root_task_ids:
        said = "Chain takes no root tasks; name the first and the last task in include_task_ids"
        yield f"{path}.root_task_ids", said
    if len(found.include_task_ids) != 2:
        said = "Chain takes exactly two include_task_ids, the first and the last task"
        yield f"{path}.include_task_ids", said


def window(path: str, found: pb.BackfillSpec | pb.Periods) -> Iterator[Violation]:
    """Complain about half a window of cycle times."""
    if bool(found.start_time) != bool(found.end_time):
        yield f"{path}.end_time", "start_time and end_time go together: give both or neither"
