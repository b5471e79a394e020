"""What it means that no usable reply came, and one line for people about it."""

from __future__ import annotations

import ssl

import aiohttp
import pytest

from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.http.connections import ReplyTooLarge, RequestStage
from headgate_worker.upstream.http.failures import no_answer
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
