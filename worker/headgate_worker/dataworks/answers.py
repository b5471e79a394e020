"""Make an outcome of what a call met: a reply of any shape, or none.

Pure. Code and message of every failure are put together here.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp

from headgate_worker.core.calls import Call, Failure, FailureKind, Outcome, Reply
from headgate_worker.dataworks import errors
from headgate_worker.dataworks.connections import Answer, ReplyTooLarge, Stage
from headgate_worker.dataworks.fields import MalformedReply, Members
from headgate_worker.dataworks.replies import NothingThere, Reading, read

REQUEST_ID_LENGTH = 128

MAX_NESTS = 1_000_000
"""Brackets and braces that a body may have. It is decoded on the event loop, and each costs half a microsecond."""


def decode(answer: Answer) -> Mapping[str, Any]:
    """The JSON object of a reply, empty where there is none. An XML error is read into the same members."""
    try:
        found = _load(answer.body)
    except (ValueError, RecursionError):
        return errors.xml_members(answer.body[:65536].decode("utf-8", "replace"))
    return found if isinstance(found, dict) else {}


def _load(body: bytes) -> object:
    if body.count(b"[") + body.count(b"{") > MAX_NESTS:
        raise ValueError("too many lists and objects")
    return json.loads(body, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def request_id(answer: Answer, body: Mapping[str, Any]) -> str:
    """Upstream's RequestId, from the body or else from the header; empty when neither has one."""
    found = body.get("RequestId", body.get("requestId"))
    text = found if isinstance(found, str) and found else answer.request_id
    return errors.one_line(text, REQUEST_ID_LENGTH)


def outcome(call: Call, answer: Answer, body: Mapping[str, Any], reading: Reading) -> Outcome:
    """What a reply means. `body` is `decode(answer)`; latency is left 0."""
    if not 200 <= answer.status < 300:
        return _refusal(call, answer, body, reading)
    try:
        return Reply(read(call, Members(body), reading), reading.request_id, 0.0)
    except MalformedReply as error:
        return _unusable(call, answer, body, reading, error)


def _unusable(call: Call, answer: Answer, body: Mapping[str, Any], reading: Reading, error: MalformedReply) -> Failure:
    """A 2xx reply without what was asked for: perhaps an error in disguise, perhaps nothing there, perhaps rubbish."""
    if errors.envelope(body) is not None:
        return _refusal(call, answer, body, reading)
    if isinstance(error, NothingThere) and reading.request_id:
        message = f"the reply has no {error.field}"
        return _failure(FailureKind.NOT_FOUND, "not_found", message, answer, reading)
    about = str(error) if body else f"HTTP {answer.status} with {_media(answer)} that is not a JSON object"
    return _failure(errors.uncertain(type(call)), "malformed_reply", about, answer, reading)


def _refusal(call: Call, answer: Answer, body: Mapping[str, Any], reading: Reading) -> Failure:
    error = errors.envelope(body)
    if error is None:
        about = f"HTTP {answer.status} with {_media(answer)} that is no DataWorks reply"
        return _failure(errors.without_envelope(type(call), answer.status), "malformed_reply", about, answer, reading)
    pause = errors.retry_after_seconds(answer.retry_after)
    kind = errors.classify(type(call), answer.status, error, pause)
    return _failure(kind, error.code, error.message or f"HTTP {answer.status}", answer, reading)


def _media(answer: Answer) -> str:
    return errors.one_line(answer.media_type, 64) or "a body"


def _failure(kind: FailureKind, code: str, message: str, answer: Answer, reading: Reading) -> Failure:
    return Failure(
        kind,
        code,
        message,
        request_id=reading.request_id,
        http_status=answer.status,
        retry_after_seconds=errors.retry_after_seconds(answer.retry_after),
    )


def no_answer(call: Call, stage: Stage, error: Exception) -> Failure:
    """What it means that no reply came, by how far the request had come."""
    if stage is not Stage.SENT:
        code = "connect_failed" if stage is Stage.CONNECTING else "credentials_unavailable"
        return Failure(FailureKind.TRANSIENT, code, f"nothing was sent: {_reason(error)}")
    kind = errors.uncertain(type(call))
    if isinstance(error, ReplyTooLarge):
        return Failure(kind, "reply_too_large", "the reply is longer than is read")
    if isinstance(error, TimeoutError):
        return Failure(kind, "timed_out", "no complete reply within the time given")
    # Its text may quote what the server sent, so only its class is told.
    message = f"the connection was lost after the request was sent ({type(error).__name__})"
    return Failure(kind, "connection_lost", message)


def _reason(error: Exception) -> str:
    """Why no connection came about: before anything was received, so the text quotes nothing of it."""
    if isinstance(error, TimeoutError):
        return "the time given was over"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
        return errors.one_line(f"the server's certificate is not trusted: {error}")
    return errors.one_line(str(error) or type(error).__name__)
