from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.dataworks.replies import answers
from headgate_worker.upstream.dataworks.replies.reading import DataWorksReplyContext
from headgate_worker.upstream.http.connections import HttpReply
from tests.worker.upstream.dataworks.specs import FIRST, adhoc_spec, failure_of, seed_spec
from tests.worker.upstream.scripted_server import REQUEST_ID

GET, START = calls.GetInstance(FIRST), calls.StartInstances((FIRST,))
CREATE, ADHOC = calls.CreateInstances(seed_spec()), calls.ExecuteAdhoc(adhoc_spec())
RERUN = calls.RerunInstances(pb.RerunWorkflowInstancesSpec())
REPEATABLE: tuple[calls.Call, ...] = (
    GET,
    START,
    calls.StopInstances((FIRST,)),
    calls.GetCreateResult("op"),
    calls.GetTaskLog(1),
)
NOT_REPEATABLE: tuple[calls.Call, ...] = (CREATE, ADHOC, RERUN)


def made_of(call: calls.Call, body: bytes | dict[str, Any], status: int = 200, **changes: Any) -> calls.Outcome:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = HttpReply(status, changes.get("media", "application/json"), changes.get("retry_after"), "", data)
    members = answers.decode(answer)
    return answers.outcome(
        call, answer, members, DataWorksReplyContext(Timestamp(), answers.request_id(answer, members))
    )


UNUSABLE: list[tuple[str, bytes, int]] = [
    ("empty", b"", 200),
    ("empty error", b"", 500),
    ("HTML of a proxy", b"<html><body>502 Bad Gateway</body></html>", 502),
    ("HTML page", b"<!doctype html><p>Sign in to the hotel network", 200),
    ("HTML refusal", b"<html>Forbidden</html>", 403),
    ("list", b'[{"OperationId": "x"}]', 200),
    ("number", b"5", 200),
    ("null", b"null", 200),
    ("cut", b'{"RequestId": "r", "WorkflowInst', 200),
    ("not text", b"\xff\xfe\x00\x01\xc3\x28", 200),
    ("deep", b"[" * 200_000, 200),
    ("deep object", b'{"a":' * 200_000, 200),
    ("a million lists", b'{"OperationId": "op", "a": [' + b"[]," * 1_000_000 + b"1]}", 200),
    ("not a number", b'{"OperationId": NaN}', 200),
    ("endless number", b'{"OperationId": -Infinity}', 200),
    ("huge number", b'{"WorkflowInstanceId": ' + b"9" * 10_000 + b"}", 200),
    ("nothing that was asked for", b"{}", 200),
    ("no code", b'{"Message": "odd"}', 400),
    ("redirect", b"", 302),
    ("not modified", b"", 304),
]


@pytest.mark.parametrize(("body", "status"), [row[1:] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE])
def test_unusable_reply_leaves_open_what_became_of_the_call(body: bytes, status: int) -> None:
    for call in REPEATABLE:
        failure = failure_of(made_of(call, body, status))
        assert (failure.kind, failure.code) == (FailureKind.TRANSIENT, "malformed_reply")
        assert failure.http_status == status
    for call in NOT_REPEATABLE:
        assert failure_of(made_of(call, body, status)).kind is FailureKind.AMBIGUOUS


def test_unusable_reply_names_what_is_wrong_with_it() -> None:
    page = failure_of(made_of(GET, b"<html>secret page</html>", 502, media="text/html"))
    assert page.message == "HTTP 502 with text/html that is no DataWorks reply"
    member = failure_of(made_of(CREATE, {"RequestId": REQUEST_ID}))
    assert member.message == "the reply's OperationId is missing or makes no sense"
    assert member.request_id == REQUEST_ID


def test_error_in_a_200_is_taken_for_what_it_says() -> None:
    throttled = {"Code": "Throttling.User", "Message": "Slow down.", "RequestId": REQUEST_ID}
    for call in REPEATABLE + NOT_REPEATABLE:
        failure = failure_of(made_of(call, throttled))
        assert (failure.kind, failure.code, failure.message) == (
            FailureKind.THROTTLED,
            "Throttling.User",
            "Slow down.",
        )
    unknown = {"Code": "Odd", "RequestId": REQUEST_ID}
    assert failure_of(made_of(CREATE, unknown)).kind is FailureKind.AMBIGUOUS
    assert failure_of(made_of(GET, unknown)).kind is FailureKind.TRANSIENT


def test_code_beside_what_was_asked_for_is_no_error() -> None:
    outcome = made_of(CREATE, {"Code": "200", "OperationId": "op", "RequestId": REQUEST_ID})

    assert outcome == calls.Reply("op", REQUEST_ID, 0.0)


def test_200_without_the_instance_is_not_found_if_upstream_said_it() -> None:
    failure = failure_of(made_of(GET, {"RequestId": REQUEST_ID}))
    assert (failure.kind, failure.code) == (FailureKind.NOT_FOUND, "not_found")
    assert failure_of(made_of(GET, {})).kind is FailureKind.TRANSIENT


def test_xml_error_is_read() -> None:
    text = b"<?xml version='1.0'?><Error><RequestId>r</RequestId><Code>InvalidTimeStamp.Expired</Code></Error>"
    failure = failure_of(made_of(CREATE, text, 400, media="text/xml"))

    assert (failure.kind, failure.code, failure.request_id) == (
        FailureKind.TRANSIENT,
        "InvalidTimeStamp.Expired",
        "r",
    )


def test_wait_that_upstream_asks_for_is_passed_on() -> None:
    body = {"Code": "Throttling.User", "Message": "m"}

    assert failure_of(made_of(GET, body, 429, retry_after="1500")).retry_after_seconds == 1.5
    assert failure_of(made_of(GET, body, 429)).retry_after_seconds is None


def test_a_quota_of_the_plan_that_is_reached_is_not_asked_again_soon() -> None:
    """It is no rate that a moment's pause would get under (reference: 4.1, a long pause)."""
    for call in (GET, CREATE):
        failure = failure_of(made_of(call, {"Code": "Throttling.Resource", "Message": "m"}, 429))
        assert (failure.kind, failure.retry_after_seconds) == (FailureKind.THROTTLED, 60.0)
    told = made_of(GET, {"Code": "Throttling.Resource", "Message": "m"}, 429, retry_after="1500")
    assert failure_of(told).retry_after_seconds == 1.5
