"""What it means that no usable reply came, and one line for people about it."""

from __future__ import annotations

import ssl

import aiohttp
import pytest

from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.http.connections import ReplyTooLarge, RequestStage
from headgate_worker.upstream.http.failures import (
    MAX_NESTS,
    SecretUnavailable,
    load_json,
    no_answer,
    one_line,
    unreachable,
)
from tests.worker.upstream.dataworks.specs import ADHOC, CREATE, FIRST, GET, RERUN, START

REPEATABLE: tuple[calls.Call, ...] = (
    GET,
    START,
    calls.StopInstances((FIRST,)),
    calls.GetCreateResult("op"),
    calls.GetTaskLog(1),
)


NOT_REPEATABLE: tuple[calls.Call, ...] = (CREATE, ADHOC, RERUN)


@pytest.mark.parametrize("stage", [RequestStage.CREDENTIALS, RequestStage.CONNECTING])
def test_request_that_never_left_may_be_sent_again(stage: RequestStage) -> None:
    for call in REPEATABLE + NOT_REPEATABLE:
        for error in (ConnectionRefusedError("refused"), TimeoutError(), ssl.SSLError("handshake"), OSError()):
            failure = no_answer(call, stage, error)
            assert failure.kind is FailureKind.TRANSIENT
            assert failure.message.startswith("nothing was sent: ")
    assert no_answer(GET, RequestStage.CONNECTING, OSError()).code == "connect_failed"
    assert no_answer(GET, RequestStage.CREDENTIALS, TimeoutError()).code == "credentials_unavailable"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), "timed_out"),
        (aiohttp.ServerTimeoutError(), "timed_out"),
        (ReplyTooLarge(), "reply_too_large"),
        (aiohttp.ServerDisconnectedError(), "connection_lost"),
        (aiohttp.ClientPayloadError("secret bytes"), "connection_lost"),
        (ConnectionResetError("reset"), "connection_lost"),
    ],
)
def test_request_without_a_reply_may_have_been_executed(error: Exception, code: str) -> None:
    for call in REPEATABLE:
        failure = no_answer(call, RequestStage.SENT, error)
        assert (failure.kind, failure.code, failure.http_status) == (FailureKind.TRANSIENT, code, 0)
        assert "secret" not in failure.message
    for call in NOT_REPEATABLE:
        assert no_answer(call, RequestStage.SENT, error).kind is FailureKind.AMBIGUOUS


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "the time given was over"),
        (ssl.SSLError("expired"), "the server's certificate is not trusted: ('expired',)"),
        (ConnectionRefusedError("refused\nby it"), "refused by it"),
        (OSError(), "OSError"),
    ],
)
def test_why_no_connection_came_about_is_told_in_one_line(error: Exception, said: str) -> None:
    found = unreachable(error)

    assert (found.kind, found.code, found.message) == (
        FailureKind.TRANSIENT,
        "connect_failed",
        f"nothing was sent: {said}",
    )


@pytest.mark.parametrize(
    ("text", "length", "line"),
    [
        ("Throttling.User", 500, "Throttling.User"),
        ("a  b\n\tc", 500, "a b c"),
        ("a\x1b[31m\u202eb", 500, "a [31m b"),
        ("abcdef", 6, "abcdef"),
        ("a b c", 5, "a b c"),
        ("abcdefg", 6, "abcde…"),
        ("描述" * 4, 6, "描述描述描…"),
        ("a" + " " * 50 + "b", 6, "a"),
        ("", 6, ""),
    ],
)
def test_one_line_is_printable_and_bounded(text: str, length: int, line: str) -> None:
    assert one_line(text, length) == line


@pytest.mark.parametrize("body", [b"NaN", b"Infinity", b"{", b"", b"[" * (MAX_NESTS + 1), "[{" * (MAX_NESTS // 2 + 1)])
def test_what_is_no_json_or_too_wide_is_refused(body: bytes | str) -> None:
    with pytest.raises(ValueError):
        load_json(body)


def test_a_body_may_have_as_many_lists_as_the_bound() -> None:
    body = b"[" + b",".join([b"[]"] * (MAX_NESTS - 1)) + b"]"

    assert load_json(body) == [[]] * (MAX_NESTS - 1)


def test_a_body_is_decoded_in_any_unicode() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert load_json('{"a": "中"}'.encode(encoding)) == {"a": "中"}
    assert load_json('[1, "\\ud800"]') == [1, "\ud800"]
    with pytest.raises(RecursionError):
        load_json(b"[" * 100_000 + b"]" * 100_000)


def test_a_secret_that_is_not_there_is_final_unless_said_otherwise() -> None:
    assert SecretUnavailable("none").final and not SecretUnavailable("away", final=False).final
