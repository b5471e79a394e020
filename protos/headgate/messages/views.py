"""Views of jobs and events: BASIC leaves out payloads, FULL shows everything (AIP-157). Pure.

A payload is what a caller hands through to upstream, or upstream hands back: scripts, parameters, long lists of ids,
ends of logs. It may be large, and it may hold secrets. What finds, names and explains a job is no payload. The one
rule: a field of a spec is in `PAYLOADS` or in the test's list of what BASIC shows, so that no new field is shown
unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

from headgate import pb

_RUN_PROPERTIES: Final = (
    "include_task_ids",
    "exclude_task_ids",
    "include_project_ids",
    "exclude_project_ids",
    "data_source_name_mappings",
)

PAYLOADS: Final[Mapping[str, tuple[str, ...]]] = {
    "headgate.v1.CreateWorkflowInstancesSpec": ("workflow_parameters", "task_parameters", "extra"),
    "headgate.v1.BackfillSpec": ("workflow_parameters", "task_parameters", "extra"),
    "headgate.v1.DefaultRunProperties": _RUN_PROPERTIES,
    "headgate.v1.RerunFilter": ("task_ids",),
    "headgate.v1.AdhocTask": ("script_content", "script_parameters", "dependency_upstream_outputs", "task_outputs"),
    "headgate.v1.AdhocVariable": ("value",),
    "headgate.v1.FlowParameter": ("value",),
    "headgate.v1.FailureDigest": ("log_tail",),
}
"""Fields that BASIC leaves out, by full name of the message that has them. What stands between a spec and one of these
is here too, or what it holds would not be found; a test checks that by the descriptors."""

_POOL: Final = Default()

_DIGEST_TAG: Final = b"\x8a\x01"
"""What stands before the failure digest in the bytes of an InstanceRun: field 17, with a length."""


def basic(job: pb.Job) -> pb.Job:
    """The job without payloads; `job` is not changed."""
    shown = pb.Job()
    shown.CopyFrom(job)
    strip(shown)
    return shown


def basic_event(event: pb.JobEvent) -> pb.JobEvent:
    """The event without payloads; `event` is not changed."""
    shown = pb.JobEvent()
    shown.CopyFrom(event)
    strip_event(shown)
    return shown


def basic_bytes(body: bytes) -> bytes:
    """A Job as bytes without payloads.

    Raises:
        DecodeError: the bytes are no job.
    """
    job = pb.Job.FromString(body)
    strip(job)
    return job.SerializeToString()


def basic_event_bytes(revision: int, body: bytes) -> bytes:
    """A JobEvent as bytes without payloads; those that can't have any are handed back as they are.

    Args:
        revision: the event's revision; only the first one carries a job.
        body: the event as bytes.

    Raises:
        DecodeError: the bytes are no event.
    """
    if revision != 1 and _DIGEST_TAG not in body:
        return body
    return basic_event(pb.JobEvent.FromString(body)).SerializeToString()


def has_payloads(spec: Message) -> bool:
    """Whether there is anything in the spec of a job that `strip` takes out."""
    full_name = spec.DESCRIPTOR.full_name
    return full_name in PAYLOADS and _has_payloads(spec, _places(full_name))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where payloads may stand in a type of message: in fields of its own, and in messages that it holds.

    Args:
        values: names of its own payloads that are texts, lists or maps, and count as absent while they are empty.
        messages: names of its own payloads that are messages.
        inner: names of single messages that may hold payloads, with their places.
        lists: the same for repeated ones.
    """

    values: tuple[str, ...]
    messages: tuple[str, ...]
    inner: tuple[tuple[str, _Places], ...]
    lists: tuple[tuple[str, _Places], ...]


@cache
def _places(full_name: str) -> _Places:
    names = PAYLOADS[full_name]
    fields: Sequence[Any] = _POOL.FindMessageTypeByName(full_name).fields
    own = [field for field in fields if field.name in names]
    single = {field.name for field in own if field.message_type is not None and not field.is_repeated}
    inner = [field for field in fields if field not in own and _holds_payloads(field)]
    return _Places(
        tuple(field.name for field in own if field.name not in single),
        tuple(single),
        tuple((field.name, _places(field.message_type.full_name)) for field in inner if not field.is_repeated),
        tuple((field.name, _places(field.message_type.full_name)) for field in inner if field.is_repeated),
    )


def _holds_payloads(field: Any) -> bool:
    return field.message_type is not None and field.message_type.full_name in PAYLOADS


def _has_payloads(message: Any, places: _Places) -> bool:
    # Every submit comes by: by name, since to list all fields of a message costs ten times as much.
    for name in places.values:
        if getattr(message, name):
            return True
    if any(map(message.HasField, places.messages)):
        return True
    for name, inner in places.inner:
        if message.HasField(name) and _has_payloads(getattr(message, name), inner):
            return True
    return any(_has_payloads(part, inner) for name, inner in places.lists for part in getattr(message, name))


def strip(job: pb.Job) -> None:
    """Take the payloads out of a job that is the caller's own to change."""
    kind = job.WhichOneof("spec")
    if kind is not None:
        _strip(getattr(job, kind))
    _strip_runs(job)


def strip_event(event: pb.JobEvent) -> None:
    """Take the payloads out of an event that is the caller's own to change."""
    if event.HasField("job"):
        strip(event.job)
    _strip_runs(event)


def _strip_runs(holder: pb.Job | pb.JobEvent) -> None:
    for run in holder.runs:
        if run.HasField("failure_digest"):
            _strip(run.failure_digest)


def _strip(message: Message) -> None:
    """Clear the payloads of a message and of all that it holds."""
    for name in PAYLOADS.get(message.DESCRIPTOR.full_name, ()):
        message.ClearField(name)
    for field, value in message.ListFields():
        inner = field.message_type
        if inner is None or inner.full_name not in PAYLOADS:
            continue
        for part in value if field.is_repeated else (value,):
            _strip(part)
