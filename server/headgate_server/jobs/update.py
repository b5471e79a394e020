"""Decide what an update changes in a job that goes on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.job import job_update
from headgate.job.lifecycle import is_terminal
from headgate_server.errors.status import bad_request
from headgate_server.jobs.transitions import conflict, event_for
from headgate_server.requests import update_rules

LONGEST_MS: Final = 30 * 24 * 3600 * 1000
"""How far a new deadline may lie ahead, as in a submit."""

MOST_CHARACTERS: Final = 1_024
"""Longest message of an event."""


def update(job: pb.Job, request: pb.UpdateJobRequest, caller: str, now_ms: int) -> pb.JobEvent | None:
    """Give fields of a job other values; None where they have them already.

    Raises:
        Refused: STATE_CONFLICT where the job has ended, or is no backfill and has no such field; FIELD_INVALID where
            the deadline is not in the future, or too far in it.
    """
    named = update_rules.paths(request)
    _check_state(job, named)
    if job_update.DEADLINE in named:
        _check_deadline(request.job.deadline_time.ToMilliseconds(), now_ms)
    changed = [path for path in named if job_update.only([path], job) != job_update.only([path], request.job)]
    return _updated(job, request, changed, caller, now_ms) if changed else None


def _check_state(job: pb.Job, named: Sequence[str]) -> None:
    if is_terminal(job):
        raise conflict(job, "has ended: nothing of it can change")
    of_backfill = [path for path in named if path in job_update.OF_BACKFILL]
    if of_backfill and job.WhichOneof("spec") != "backfill":
        raise conflict(job, f"is no backfill: it has no {of_backfill[0]}")


def _check_deadline(deadline_ms: int, now_ms: int) -> None:
    if deadline_ms <= now_ms:
        raise bad_request([("job.deadline_time", "is not in the future; cancel the job to end it now")])
    if deadline_ms > now_ms + LONGEST_MS:
        raise bad_request([("job.deadline_time", "is more than 30 days from now")])


def _updated(
    job: pb.Job, request: pb.UpdateJobRequest, changed: Sequence[str], caller: str, now_ms: int
) -> pb.JobEvent:
    event = event_for(job, pb.EVENT_TYPE_UPDATED, job.state, caller, now_ms)
    before, after = job_update.only(changed, job), job_update.only(changed, request.job)
    event.update.update_mask.CopyFrom(FieldMask(paths=changed))
    event.update.before.CopyFrom(before)
    event.update.after.CopyFrom(after)
    if job_update.DEADLINE in changed:
        event.deadline_time.CopyFrom(request.job.deadline_time)
    if job_update.PARALLELISM in changed:
        event.operations.extend(_sent_with(job))
    event.message = _message(changed, before, after)
    return event


def _sent_with(job: pb.Job) -> list[pb.UpstreamOperation]:
    """The operations that went out with the parallelism of before, which from now on is not that of the spec."""
    rows = []
    for operation in job.operations:
        if not operation.parallelism:
            row = pb.UpstreamOperation()
            row.CopyFrom(operation)
            row.parallelism = job.backfill.default_run_properties.parallelism
            rows.append(row)
    return rows


def _message(changed: Sequence[str], before: pb.Job, after: pb.Job) -> str:
    parts = [f"{path.rsplit('.', 1)[-1]} {_said(path, before)} -> {_said(path, after)}" for path in changed]
    return f"updated: {', '.join(parts)}"[:MOST_CHARACTERS]


def _said(path: str, job: pb.Job) -> str:
    holder, name = job_update.holder_of(path, job)
    value, enum = getattr(holder, name), holder.DESCRIPTOR.fields_by_name[name].enum_type
    if enum is not None:
        return str(enum.values_by_number[value].name)
    if isinstance(value, Timestamp | Duration):
        return value.ToJsonString()
    if path == "labels":
        return " ".join(f"{key}={text}" for key, text in sorted(value.items())) or "none"
    return str(value)
