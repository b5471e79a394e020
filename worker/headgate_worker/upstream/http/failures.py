"""What it means that no usable reply came, and one line for people about it. Pure."""

from __future__ import annotations

import json
import ssl

import aiohttp

from headgate_worker.core.model.calls import NOT_REPEATABLE, Call, Failure, FailureKind
from headgate_worker.upstream.http.connections import ReplyTooLarge, RequestStage

MESSAGE_LENGTH = 500
"""Characters of an upstream message that are kept."""

MAX_NESTS = 1_000_000
"""Brackets and braces that a body may have. It is decoded on the event loop, and each costs half a microsecond."""


class UnsendableCall(Exception):
    """A call that can't be put into a request of its connection's cloud; nothing was sent."""


class SecretUnavailable(Exception):
    """There is nothing to sign requests with.

    Args:
        message: why, without secrets.
        final: the credentials themselves were refused, or there are none; asking again would not help.
    """

    def __init__(self, message: str, *, final: bool = True) -> None:
        super().__init__(message)
        self.final = final


def uncertain(call: type) -> FailureKind:
    """The kind of a call that may have been executed: only calls that can't be repeated by intent are ambiguous."""
    return FailureKind.AMBIGUOUS if call in NOT_REPEATABLE else FailureKind.TRANSIENT


def no_answer(call: Call, stage: RequestStage, error: Exception) -> Failure:
    """What it means that no reply came, by how far the request had come."""
    if stage is RequestStage.CONNECTING:
        return unreachable(error)
    if stage is RequestStage.CREDENTIALS:
        return Failure(FailureKind.TRANSIENT, "credentials_unavailable", f"nothing was sent: {_reason(error)}")
    kind = uncertain(type(call))
    if isinstance(error, ReplyTooLarge):
        return Failure(kind, "reply_too_large", "the reply is longer than is read")
    if isinstance(error, TimeoutError):
        return Failure(kind, "timed_out", "no complete reply within the time given")
    # Its text may quote what the server sent, so only its class is shown.
    message = f"the connection was lost after the request was sent ({type(error).__name__})"
    return Failure(kind, "connection_lost", message)


def unreachable(error: Exception) -> Failure:
    """That no connection came about."""
    return Failure(FailureKind.TRANSIENT, "connect_failed", f"nothing was sent: {_reason(error)}")


def _reason(error: Exception) -> str:
    """Why no connection came about: before anything was received, so the text quotes nothing of it."""
    if isinstance(error, TimeoutError):
        return "the time given was over"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
        return one_line(f"the server's certificate is not trusted: {error}")
    return one_line(str(error) or type(error).__name__)


def load_json(body: bytes | str) -> object:
    """Decode a body. Raises ValueError or RecursionError for what is no JSON, or too deep and wide to be decoded."""
    brackets = body.count(b"[") + body.count(b"{") if isinstance(body, bytes) else body.count("[") + body.count("{")
    if brackets > MAX_NESTS:
        raise ValueError("too many lists and objects")
    text = body.decode(json.detect_encoding(body), "surrogatepass") if isinstance(body, bytes) else body
    return _DECODER.decode(text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def one_line(text: str, length: int = MESSAGE_LENGTH) -> str:
    """`text` without control characters, line breaks and broken surrogates, cut to `length` characters."""
    if text.isascii() and text.isprintable() and " " not in text and len(text) <= length:
        return text  # ids and codes, every call has one
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * length])
    line = " ".join(printable.split())
    return line if len(line) <= length else line[: length - 1] + "…"
