"""Prebuilt gRPC errors for denied calls, so that a denial costs no exception. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import grpc

from headgate.reasons import Reason
from headgate_server.auth.stream_shares import STREAM_SECONDS
from headgate_server.errors import share_exceeded, status
from headgate_server.errors.exceptions import Refused

BUSY_SECONDS: Final = 1.0
"""When a caller may come back that found no slot, in seconds."""

MAX_SECONDS: Final = 3_600.0
"""The longest wait that an answer asks of a caller over its rate, in seconds, however slow that rate is."""

MESSAGES: Final = {
    Reason.TOKEN_MISSING: 'no token: send one with each call, as metadata "authorization: Bearer ..." '
    "(HEADGATE_TOKEN of our client and command); the operator gives them",
    Reason.TOKEN_INVALID: "the token is malformed or unknown, or was taken back, or the client certificate does not "
    "name one caller: send the whole token, or ask the operator for another",
    Reason.TOKEN_EXPIRED: "the token has expired: ask the operator for another",
}
"""Messages for calls without a known caller."""


@dataclass(frozen=True, slots=True)
class Denial:
    """The answer to a denied call, ready to be sent.

    Args:
        reason: why it is denied.
        code: its status code.
        message: its message.
        details: trailing metadata.
        seconds: for how long it is held back.
    """

    reason: Reason
    code: grpc.StatusCode
    message: str
    details: tuple[tuple[str, bytes], ...]
    seconds: float = 0.0

    def held_back(self, seconds: float) -> Denial:
        """The same answer, held back for so long."""
        return replace(self, seconds=seconds) if seconds else self


@lru_cache
def unknown(reason: Reason) -> Denial:
    """The denial of a call without a known caller."""
    return _answer(Refused(reason, MESSAGES[reason]))


@lru_cache
def no_right(right: str, method: str) -> Denial:
    """The denial of a call that its caller has no right to."""
    message = f"{method} needs the right to {right}, which the caller has not"
    return _answer(Refused(Reason.RIGHT_MISSING, message, metadata={"right": right}))


@lru_cache(maxsize=1_024)
def too_often(caller: str, limit: float, tenths: int) -> Denial:
    """The denial of a call over its caller's rate; `tenths` is the wait in units of 0.1 s."""
    subject = share_exceeded.of_caller(caller)
    return _answer(share_exceeded.exceeded("calls_per_second", limit, subject, tenths / 10))


@lru_cache(maxsize=1_024)
def too_many(caller: str, limit: int) -> Denial:
    """The denial of a stream beyond the caller's share."""
    subject = share_exceeded.of_caller(caller)
    return _answer(share_exceeded.exceeded("watches", limit, subject, STREAM_SECONDS))


@lru_cache
def no_room(limit: int) -> Denial:
    """A call to a server that serves as many as it can."""
    return _answer(share_exceeded.exceeded("open_calls", limit, share_exceeded.PROCESS, BUSY_SECONDS))


@lru_cache
def too_many_pending(limit: int) -> Denial:
    """A call without a request, among too many of those."""
    return _answer(share_exceeded.exceeded("calls_without_request", limit, "peer", BUSY_SECONDS))


@lru_cache
def overdue() -> Denial:
    """A call whose request did not come."""
    return _answer(
        Refused(
            Reason.REQUEST_OVERDUE,
            "the request has not arrived in time, or the stream of requests has gone on for too long",
        )
    )


@lru_cache
def no_method() -> Denial:
    """A call of a method that there is not."""
    return _answer(Refused(Reason.METHOD_UNKNOWN, "this server has no such method"))


def _answer(refused: Refused) -> Denial:
    found = status.describe(refused)
    details = ((status.DETAILS_KEY, found.SerializeToString()),)
    return Denial(refused.reason, status.CODES[found.code], found.message, details)
