"""Shares of callers and connections: buckets for what is used up by time, and the refusal when a share is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from google.rpc.error_details_pb2 import QuotaFailure

from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused

CALL_BYTES: Final = 4_096
"""Bytes of a request that count as one call more: what is large costs the server, Redis and workers by its size."""

BURST_SECONDS: Final = 1.0
"""How long a bucket takes to fill: a caller that was silent may make so many calls at once, one at least."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls that may be made at once.

    Args:
        calls: how many there were.
        at: when, in seconds by a clock that never goes back.
    """

    calls: float
    at: float


def full(per_second: float, now: float, burst_seconds: float = BURST_SECONDS) -> Bucket:
    """The bucket of a caller that has not called for a while."""
    return Bucket(_room(per_second, burst_seconds), now)


def draw(
    bucket: Bucket, per_second: float, now: float, *, calls: float = 1.0, burst_seconds: float = BURST_SECONDS
) -> tuple[Bucket, float]:
    """Take calls out of a bucket: what is left, and in how many seconds to come back; 0 when they may go on.

    Args:
        bucket: the bucket.
        per_second: how fast it fills, above 0. It may be another rate than before.
        now: by the clock of `bucket.at`.
        calls: how many; more than the bucket holds take all of it.
        burst_seconds: how long the bucket takes to fill.
    """
    room = _room(per_second, burst_seconds)
    there, wanted = min(room, bucket.calls + max(0.0, now - bucket.at) * per_second), min(room, calls)
    if there >= wanted:
        return Bucket(there - wanted, now), 0.0
    return Bucket(there, now), (wanted - there) / per_second


def owe(bucket: Bucket, calls: float) -> Bucket:
    """Take calls that were made already: the bucket may owe some afterwards, and fills up to nothing first."""
    return Bucket(bucket.calls - calls, bucket.at)


def _room(per_second: float, burst_seconds: float) -> float:
    return max(1.0, per_second * burst_seconds)


def of_caller(name: str) -> str:
    """A caller as the subject of a share."""
    return f"caller:{name}"


def of_connection(name: str) -> str:
    """A connection as the subject of a share; the default one has an empty name."""
    return f"connection:{name}"


PROCESS: Final = "process"
"""The subject of a bound that all callers of a server process have together."""


def exceeded(quota: str, limit: float, subject: str, retry_seconds: float | None, message: str = "") -> Refused:
    """CALLER_LIMIT: a share is used up.

    Args:
        quota: what is scarce, such as "watched_instances"; stands in the metadata.
        limit: how much of it the subject may have; stands in the metadata.
        subject: whose share it is, by `of_caller`, `of_connection` or PROCESS; or the name of a job.
        retry_seconds: when to come back, 0.1 s or more; None where waiting does not help.
        message: one line for people; empty for one that says quota, subject and limit.
    """
    message = message or f"{quota} of {subject}: the limit is {limit:.15g}"
    violation = QuotaFailure.Violation(subject=subject, description=message)
    return Refused(
        Reason.CALLER_LIMIT,
        message,
        metadata={"quota": quota, "limit": f"{limit:.15g}"},
        details=(QuotaFailure(violations=[violation]),),
        retry_seconds=retry_seconds,
    )
