"""The error of a share that is used up, with the subject whose share it is. Pure."""

from __future__ import annotations

from typing import Final

from google.rpc.error_details_pb2 import QuotaFailure

from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused


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
