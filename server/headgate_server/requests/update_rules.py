"""Rules on what an update may change, and to what. Pure.

Values are judged by the field rules that a submit has for them: an update makes no job that could not be submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from google.protobuf.message import Message

from headgate import pb
from headgate.job import job_update
from headgate_server.requests.date_rules import Violation

ALL: Final = "*"
"""A mask that names every field which can change."""

FieldRules = Callable[[Message], list[Violation]]
"""What of a message breaks its field rules."""

_WHOLE: Final[Mapping[str, str]] = {
    job_update.DEADLINE: "say when: a job always has a deadline",
    "ttl_after_end": "say how long: a job is always deleted some time after its end",
    job_update.PARALLELISM: "say how many: a backfill needs parallelism, 1 to 10",
}
"""Fields that have a value in every job, and the error where an update has none."""


def paths(request: pb.UpdateJobRequest) -> tuple[str, ...]:
    """The fields that a request changes, each once."""
    named = tuple(request.update_mask.paths)
    if named == (ALL,):
        of_its_kind = job_update.OF_BACKFILL if request.job.HasField("backfill") else ()
        return (*job_update.OF_ANY, *of_its_kind)
    if not request.HasField("update_mask"):
        return tuple(path for path in job_update.CHANGEABLE if job_update.has(request.job, path))
    return tuple(dict.fromkeys(named))


def update(request: pb.UpdateJobRequest, field_rules: FieldRules) -> Iterator[Violation]:
    """Complain about an update: what it names, and the values that it brings."""
    yield from (("job.name", text) for path, text in field_rules(pb.GetJobRequest(name=request.job.name)))
    yield from (
        ("job.etag", text) for path, text in field_rules(pb.CancelJobRequest(name="jobs/x", etag=request.job.etag))
    )
    named = paths(request)
    if not named:
        yield "update_mask", f"names no field; those that can change: {', '.join(job_update.CHANGEABLE)}"
    for path in named:
        if path not in job_update.CHANGEABLE:
            can = ", ".join(job_update.CHANGEABLE)
            yield "update_mask", f"{path[:100]!r} can't be changed; what can: {can}"
        elif path in _WHOLE and not job_update.has(request.job, path):
            yield f"job.{path}", _WHOLE[path]
    yield from _values(request.job, tuple(path for path in named if path in job_update.CHANGEABLE), field_rules)


def _values(job: pb.Job, named: tuple[str, ...], field_rules: FieldRules) -> Iterator[Violation]:
    changed = job_update.only(named, job)
    options = pb.JobOptions(priority=changed.priority, labels=changed.labels)
    if changed.HasField("ttl_after_end"):
        options.ttl_after_end.CopyFrom(changed.ttl_after_end)
    found = [*field_rules(options), *((f"backfill.{path}", text) for path, text in field_rules(changed.backfill))]
    yield from ((f"job.{path}", text) for path, text in found if path.startswith(named))
