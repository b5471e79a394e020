"""Make an outcome of what a call met: a reply of any shape, or none.

Pure. Code and message of every failure are put together here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate_worker.core.model.calls import Call, Failure, FailureKind, OutcomeOf, Reply
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.dataworks import errors
from headgate_worker.upstream.dataworks.replies.fields import MalformedDataWorksReply, Members
from headgate_worker.upstream.dataworks.replies.reading import DataWorksReplyContext, NothingThere, read
from headgate_worker.upstream.http.connections import HttpReply
from headgate_worker.upstream.http.failures import load_json

REQUEST_ID_LENGTH = 128


def decode(answer: HttpReply) -> Mapping[str, Any]:
    """The JSON object of a reply, empty where there is none. An XML error is read into the same members."""
    try:
        found = load_json(answer.body)
    except (ValueError, RecursionError):
        return errors.xml_members(answer.body[:65536].decode("utf-8", "replace"))
    return found if isinstance(found, dict) else {}


def request_id(answer: HttpReply, body: Mapping[str, Any]) -> str:
    """Upstream's RequestId, from the body or else from the header; empty when neither has one."""
    found = body.get("RequestId", body.get("requestId"))
    text = found if isinstance(found, str) and found else answer.request_id
    return errors.one_line(text, REQUEST_ID_LENGTH)


def outcome(
    call: UpstreamCall[Body], answer: HttpReply, body: Mapping[str, Any], reading: DataWorksReplyContext
) -> OutcomeOf[Body]:
    """What a reply means. `body` is `decode(answer)`; latency is left 0."""
    if not 200 <= answer.status < 300:
        return _refusal(call, answer, body, reading)
    try:
        return Reply(read(call, Members(body), reading), reading.request_id, 0.0)
    except MalformedDataWorksReply as error:
        return _unusable(call, answer, body, reading, error)


def _unusable(
    call: Call,
    answer: HttpReply,
    body: Mapping[str, Any],
    reading: DataWorksReplyContext,
    error: MalformedDataWorksReply,
) -> Failure:
    """A 2xx reply without what was asked for: perhaps an error in disguise, perhaps nothing there, perhaps rubbish."""
    if errors.envelope(body) is not None:
        return _refusal(call, answer, body, reading)
    if isinstance(error, NothingThere) and reading.request_id:
        message = f"the reply has no {error.field}"
        return _failure(FailureKind.NOT_FOUND, "not_found", message, answer, reading)
    about = str(error) if body else f"HTTP {answer.status} with {_media(answer)} that is not a JSON object"
    return _failure(errors.uncertain(type(call)), "malformed_reply", about, answer, reading)


def _refusal(call: Call, answer: HttpReply, body: Mapping[str, Any], reading: DataWorksReplyContext) -> Failure:
    error = errors.envelope(body)
    if error is None:
        about = f"HTTP {answer.status} with {_media(answer)} that is no DataWorks reply"
        return _failure(errors.without_envelope(type(call), answer.status), "malformed_reply", about, answer, reading)
    pause = errors.retry_after_seconds(answer.retry_after)
    kind = errors.classify(type(call), answer.status, error, pause)
    return _failure(kind, error.code, error.message or f"HTTP {answer.status}", answer, reading)


def _media(answer: HttpReply) -> str:
    return errors.one_line(answer.media_type, 64) or "a body"


def _failure(kind: FailureKind, code: str, message: str, answer: HttpReply, reading: DataWorksReplyContext) -> Failure:
    return Failure(
        kind,
        code,
        message,
        request_id=reading.request_id,
        http_status=answer.status,
        retry_after_seconds=errors.pause_seconds(code, answer.retry_after),
    )
