"""What is known of the effect of a call that has failed."""

from __future__ import annotations

from typing import Final

from headgate_worker.core.model.calls import Failure, FailureKind

FINAL_REFUSALS: Final = frozenset({FailureKind.REFUSED, FailureKind.DENIED, FailureKind.NOT_FOUND})
"""Failures of a whole call after which the instances are read, and their status decides."""

NOT_SENT_CODES: Final = frozenset({"connect_failed", "credentials_unavailable"})
"""Codes of failures that left nothing behind: no request went out."""

_IN_DOUBT: Final = frozenset({FailureKind.TRANSIENT, FailureKind.AMBIGUOUS})


def may_be_executed(failure: Failure) -> bool:
    """Whether a write that is safe to repeat may have had its effect although it brought no answer."""
    return failure.kind in _IN_DOUBT and failure.code not in NOT_SENT_CODES
