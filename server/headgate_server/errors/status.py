"""Errors as AIP-193 statuses: code, one line, and details that always begin with an ErrorInfo.

Pure. Details stay small, because several clients refuse trailers of more than 8 KiB, counted after base64.
"""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as details_pb
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from headgate.reasons import DOMAIN, Reason
from headgate.store import keys
from headgate_server.errors.exceptions import JobDamaged, Refused, Relayed, ServerError, StoreFull, StoreUnavailable

MAX_DETAIL_BYTES: Final = 4_800
"""Room for the serialised details of one status; base64 makes 6,400 of it."""

MAX_MESSAGE: Final = 400
"""Longest message, in characters."""

DETAILS_KEY: Final = "grpc-status-details-bin"
"""Trailer that carries the google.rpc.Status."""

_PASSING: Final = frozenset(
    {Code.Value("UNAVAILABLE"), Code.Value("RESOURCE_EXHAUSTED"), Code.Value("DEADLINE_EXCEEDED")}
)

CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
"""gRPC status codes by their number."""


def describe(refused: Refused) -> Status:
    """The status of a refusal."""
    status = Status(code=_code(refused.reason).value[0], message=refused.message[:MAX_MESSAGE])
    for detail in _details(refused):
        packed = Any()
        packed.Pack(detail)
        if status.ByteSize() + packed.ByteSize() <= MAX_DETAIL_BYTES:
            status.details.append(packed)
    return status


def parse_relayed(error: Relayed) -> Status:
    """The status that a worker sent; INTERNAL_ERROR when it is none or says OK."""
    try:
        status = Status.FromString(error.status)
    except DecodeError:
        status = Status()
    if status.code in CODES and status.code != 0:
        return status
    return describe(Refused(Reason.INTERNAL_ERROR, "a worker answered with a broken error"))


def translate(error: ServerError) -> Status | None:
    """The status of an error; None for one that no caller can act on."""
    match error:
        case Refused():
            return describe(error)
        case Relayed():
            return parse_relayed(error)
        case JobDamaged():
            return describe(damaged(error))
        case StoreUnavailable():
            return describe(Refused(Reason.STORE_UNAVAILABLE, "the store can't be used now", retry_seconds=1))
        case StoreFull():
            return describe(Refused(Reason.STORE_FULL, "the store has no room", retry_seconds=5))
        case _:
            return None


def damaged(error: JobDamaged) -> Refused:
    """JOB_DAMAGED for a job, or for one event of it."""
    name = keys.job_name(error.job_id)
    resource = details_pb.ResourceInfo(resource_type="headgate.v1.Job", resource_name=name)
    if not error.revision:
        said, metadata = f"what is kept of {name} can't be read", {"job": name}
    else:
        said = f"event {error.revision} of {name} can't be read; the next one is {error.revision + 1}"
        metadata = {"job": name, "revision": str(error.revision)}
    return Refused(Reason.JOB_DAMAGED, said, metadata=metadata, details=(resource,))


def internal(error_id: str) -> Status:
    """The status of an error that only the log explains."""
    message = "something broke here; report the error id"
    return describe(Refused(Reason.INTERNAL_ERROR, message, metadata={"error_id": error_id}))


def bad_request(violations: list[tuple[str, str]]) -> Refused:
    """FIELD_INVALID that names every field, as far as there is room.

    Args:
        violations: field path and what is wrong with it; one or more.
    """
    detail = details_pb.BadRequest()
    for path, description in violations:
        detail.field_violations.add(field=path, description=description)
        if detail.ByteSize() > MAX_DETAIL_BYTES - 800:
            del detail.field_violations[-1]
            break
    path, description = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return Refused(Reason.FIELD_INVALID, f"{path}: {description}"[: MAX_MESSAGE - 20] + more, details=(detail,))


def is_passing(status: Status) -> bool:
    """Whether the same read may succeed later."""
    return status.code in _PASSING


def retry_ms(status: Status) -> int:
    """How long a status says to wait, in ms; 0 when it does not say."""
    for packed in status.details:
        retry = details_pb.RetryInfo()
        if packed.Unpack(retry):
            return max(0, int(retry.retry_delay.ToMilliseconds()))
    return 0


def reason_of(status: Status) -> str:
    """The reason in a status; empty when it has none."""
    info = details_pb.ErrorInfo()
    return info.reason if any(packed.Unpack(info) for packed in status.details) else ""


def _code(reason: Reason) -> grpc.StatusCode:
    return grpc.StatusCode[reason.value.code]


def _details(refused: Refused) -> list[Message]:
    details: list[Message] = [
        details_pb.ErrorInfo(reason=refused.reason.name, domain=DOMAIN, metadata=refused.metadata)
    ]
    if refused.retry_seconds is not None:
        retry = details_pb.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(refused.retry_seconds * 1000))
        details.append(retry)
    return [*details, *refused.details]
