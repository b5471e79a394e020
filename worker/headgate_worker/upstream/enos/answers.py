"""Make an outcome of a reply of any shape. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate_worker.core.model.calls import Failure, FailureKind, Outcome, OutcomeOf, Reply
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.enos import errors
from headgate_worker.upstream.enos.replies import EnosReplyContext, MalformedEnosReply, read
from headgate_worker.upstream.http.connections import HttpReply
from headgate_worker.upstream.http.failures import one_line, uncertain

PAUSE_SECONDS = (1.0, 60.0)
"""Shortest and longest wait that is taken from a reply."""


def outcome(
    call: UpstreamCall[Body], answer: HttpReply, body: Mapping[str, Any], reading: EnosReplyContext
) -> OutcomeOf[Body]:
    """What a reply means. `body` is its decoded JSON; latency is left 0."""
    error = errors.envelope(body)
    if error is None or (error.code == errors.OK and not 200 <= answer.status < 300):
        about = f"HTTP {answer.status} with {one_line(answer.media_type, 64) or 'a body'} that is no EnOS reply"
        return _failure(errors.without_envelope(type(call), answer.status), "malformed_reply", about, answer)
    if error.code != errors.OK:
        kind = errors.classify(type(call), answer.status, error)
        return _failure(kind, str(error.code), error.message or f"HTTP {answer.status}", answer)
    try:
        return Reply(read(call, body, reading), request_id(answer), 0.0)
    except MalformedEnosReply as malformed:
        return _failure(uncertain(type(call)), "malformed_reply", str(malformed), answer)


def request_id(answer: HttpReply) -> str:
    """The gateway's id of the request; empty when it names none."""
    return one_line(answer.request_id, 128)


def wants_new_token(outcome: Outcome) -> bool:
    """Whether the call was refused for its token alone."""
    return isinstance(outcome, Failure) and outcome.code in {str(code) for code in errors.WANTS_NEW_TOKEN}


def _failure(kind: FailureKind, code: str, message: str, answer: HttpReply) -> Failure:
    return Failure(
        kind,
        code,
        message,
        request_id=request_id(answer),
        http_status=answer.status,
        retry_after_seconds=_pause(answer.retry_after),
    )


def _pause(header: str | None) -> float | None:
    """Retry-After in seconds; None when absent or not a number."""
    if header is None or not header.strip().isascii() or not header.strip().isdecimal() or len(header) > 9:
        return None
    return min(max(float(header), PAUSE_SECONDS[0]), PAUSE_SECONDS[1])
