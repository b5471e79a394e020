"""Which fields of a job a caller may change while it goes on, and how they are copied from one job to another. Pure.

Names are those of `google.protobuf.FieldMask`: members of Job, one within the other, with points between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from headgate import pb

PARALLELISM: Final = "backfill.default_run_properties.parallelism"
DEADLINE: Final = "deadline_time"

OF_ANY: Final = ("priority", "labels", DEADLINE, "ttl_after_end")
"""Fields of every kind of job."""

OF_BACKFILL: Final = (PARALLELISM, "backfill.max_attempts_per_date", "backfill.on_failure")
"""Fields that only a backfill has."""

CHANGEABLE: Final = (*OF_ANY, *OF_BACKFILL)
"""All fields that can be changed."""


def holder_of(path: str, job: pb.Job) -> tuple[Any, str]:
    """The message in a job that has a changeable field, and the field's name in it."""
    *way, name = path.split(".")
    holder: Any = job
    for step in way:
        holder = getattr(holder, step)
    return holder, name


def has(job: pb.Job, path: str) -> bool:
    """Whether a changeable field has a value, other than zero and empty."""
    holder, name = holder_of(path, job)
    if holder.DESCRIPTOR.fields_by_name[name].has_presence:
        return bool(holder.HasField(name))
    return bool(getattr(holder, name))


def copy(path: str, source: pb.Job, target: pb.Job) -> None:
    """Make a changeable field of `target` what it is in `source`."""
    taker, name = holder_of(path, target)
    taker.ClearField(name)
    if has(source, path):
        taker.MergeFrom(type(taker)(**{name: getattr(holder_of(path, source)[0], name)}))


def only(paths: Iterable[str], job: pb.Job) -> pb.Job:
    """A job that has these fields of `job`, and nothing else."""
    found = pb.Job()
    for path in paths:
        copy(path, job, found)
    return found


def apply(update: pb.JobUpdate, job: pb.Job) -> None:
    """Change a job as an update says; fields that are newer than this version are passed over."""
    for path in _known(update):
        copy(path, update.after, job)


def revert(update: pb.JobUpdate, job: pb.Job) -> None:
    """Make the fields of an update what they were before it."""
    for path in _known(update):
        copy(path, update.before, job)


def _known(update: pb.JobUpdate) -> list[str]:
    return [path for path in update.update_mask.paths if path in CHANGEABLE]
