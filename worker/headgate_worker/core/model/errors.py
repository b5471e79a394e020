"""Errors of jobs and runs as google.rpc.Status, with the reasons every process shares."""

from __future__ import annotations

from typing import Final

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from headgate.reasons import DOMAIN, Reason
from headgate_worker.core.model.calls import Failure, FailureKind

_REASON_OF: Final = {
    FailureKind.THROTTLED: Reason.UPSTREAM_QPS,
    FailureKind.FROZEN: Reason.UPSTREAM_DAILY,
    FailureKind.TRANSIENT: Reason.UPSTREAM_UNAVAILABLE,
    FailureKind.AMBIGUOUS: Reason.UPSTREAM_AMBIGUOUS,
    FailureKind.REFUSED: Reason.UPSTREAM_REFUSED,
    FailureKind.DENIED: Reason.UPSTREAM_DENIED,
    FailureKind.NOT_FOUND: Reason.INSTANCE_UNKNOWN,
}


TOO_LARGE: Final = "reply_too_large"
"""Our code of an answer that is not read to its end: another try would meet the same."""

_REASON_OF_CODE: Final = {
    "connection_unknown": Reason.CONNECTION_UNKNOWN,
    TOO_LARGE: Reason.UPSTREAM_REPLY_TOO_LARGE,
}


def status(reason: Reason, message: str, **metadata: str) -> Status:
    """A status with ErrorInfo; metadata values are short texts, never payloads."""
    detail = AnyMessage()
    detail.Pack(ErrorInfo(reason=reason.name, domain=DOMAIN, metadata=metadata))
    return Status(code=Code.Value(reason.value.code), message=message, details=[detail])


def of_failure(failure: Failure, action: str) -> Status:
    """A failed call as a status: upstream's code, message and RequestId, for a support ticket."""
    return status(
        _REASON_OF_CODE.get(failure.code, _REASON_OF[failure.kind]),
        f"{action}: {failure.code}: {failure.message}"[:1024],
        action=action,
        code=failure.code,
        upstream_request_id=failure.request_id,
    )
