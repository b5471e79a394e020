"""The one exception of reads that can't be answered, and what its status may say besides."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status


class ReadFailed(Exception):
    """A read that can't be answered; carries the status for the caller."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


def retryable(status: Status, seconds: float) -> Status:
    """The status with the time after which a repeat may help."""
    info = RetryInfo()
    info.retry_delay.FromMilliseconds(int(seconds * 1000))
    detail = Any()
    detail.Pack(info)
    status.details.append(detail)
    return status


def has_retry(status: Status) -> bool:
    """Whether a repeat may help, after the time that the status tells."""
    return any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)
