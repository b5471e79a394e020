"""Which dates a backfill holds while it is active, so that no other one runs them too. Judged per date.

Two backfills overlap on a date when connection, project, environment and root tasks are the same. The commit that
accepts a backfill takes its dates, all or none, and so does one that runs dates again; the commit that ends it gives
them back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from google.type.date_pb2 import Date

from headgate import keys, pb

HOLDING: Final = frozenset({pb.OVERLAP_UNSPECIFIED, pb.OVERLAP_REJECT})
"""Policies under which a backfill holds its dates; with ALLOW it neither holds nor minds."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Dates that a job holds: the key of their hash, and the dates as "yyyymmdd"."""

    key: str
    days: tuple[str, ...]


def hold_of(job: pb.Job) -> Hold | None:
    """What the job holds while it is active; None when it holds nothing."""
    if job.WhichOneof("spec") != "backfill" or job.backfill.overlap not in HOLDING:
        return None
    days = sorted({_day(run.biz_date) for run in job.runs if run.HasField("biz_date")})
    return Hold(_key(job.connection, job.backfill), tuple(days))


def _day(day: Date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def target(connection: str, spec: pb.BackfillSpec) -> str:
    """What a backfill works on, whatever its dates and its name are: 32 hex digits."""
    properties = spec.default_run_properties
    tasks = sorted(properties.root_task_ids) or sorted(properties.include_task_ids)
    text = f"{connection}\n{spec.project_id}\n{spec.env_type}\n{tasks}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _key(connection: str, spec: pb.BackfillSpec) -> str:
    return f"{keys.PREFIX}dates:{target(connection, spec)}"
