"""What an update changes of a job: Python's own values in, a request with its mask out. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypedDict

from headgate import pb
from headgate_client.values.conversions import duration, timestamp


class JobChange(TypedDict, total=False):
    """The fields of a job that an update changes; those that are not given stay.

    Args:
        priority: 0 to 9.
        labels: all of them.
        deadline_time: when the job is cancelled if it has not ended, at most 30 days from now; with a time zone.
        ttl_after_end: how long it is kept after its end, as a timedelta or in seconds, 1 minute to 400 days.
        parallelism: of a backfill, 1 to 10; for the dates that are not created yet.
        max_attempts_per_date: of a backfill, 0 to 10.
        on_failure: of a backfill.
    """

    priority: int
    labels: Mapping[str, str]
    deadline_time: datetime
    ttl_after_end: timedelta | float
    parallelism: int
    max_attempts_per_date: int
    on_failure: pb.OnFailure.ValueType


_PATHS: Mapping[str, str] = {
    "parallelism": "backfill.default_run_properties.parallelism",
    "max_attempts_per_date": "backfill.max_attempts_per_date",
    "on_failure": "backfill.on_failure",
}
"""What is called otherwise in a mask."""


def update_request(name: str, change: JobChange) -> pb.UpdateJobRequest:
    """Return the request of an update.

    Args:
        name: the job's, "jobs/{job_id}".
        change: the fields that change, at least one.

    Raises:
        ValueError: nothing changes, or the deadline has no time zone.
    """
    if not change:
        raise ValueError("an update names what it changes, such as priority=5")
    job = pb.Job(
        name=name,
        priority=change.get("priority", 0),
        labels=change.get("labels", {}),
        deadline_time=timestamp(change.get("deadline_time")),
        ttl_after_end=duration(change.get("ttl_after_end")),
    )
    _set_backfill(job, change)
    request = pb.UpdateJobRequest(job=job)
    request.update_mask.paths.extend(_PATHS.get(field, field) for field in change)
    return request


def _set_backfill(job: pb.Job, change: JobChange) -> None:
    if "parallelism" in change:
        job.backfill.default_run_properties.parallelism = change["parallelism"]
    if "max_attempts_per_date" in change:
        job.backfill.max_attempts_per_date = change["max_attempts_per_date"]
    if "on_failure" in change:
        job.backfill.on_failure = change["on_failure"]
