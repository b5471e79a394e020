"""Views of jobs and events: BASIC leaves out payloads, FULL shows everything (AIP-157). Pure.

A payload is what a caller hands through to upstream, or upstream hands back: scripts, parameters, long lists of ids,
ends of logs. It may be large, and it may hold secrets. What finds, names and explains a job is no payload. The one
rule: a field of a spec is in `PAYLOADS` or in the test's list of what BASIC shows, so that no new field is shown
unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
is here too, or what it holds would not be found; a test tells that from the descriptors."""

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


def has_payloads(job: pb.Job) -> bool:
    """Whether there is anything in a job that `strip` takes out, but for ends of logs."""
    kind = job.WhichOneof("spec")
    return kind is not None and _has_payloads(getattr(job, kind))


def _has_payloads(message: Message) -> bool:
    names = PAYLOADS.get(message.DESCRIPTOR.full_name, ())
    for field, value in message.ListFields():
        inner = field.message_type
        if field.name in names:
            return True
        if inner is None or inner.full_name not in PAYLOADS:
            continue
        if any(_has_payloads(part) for part in (value if field.is_repeated else (value,))):
            return True
    return False


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
