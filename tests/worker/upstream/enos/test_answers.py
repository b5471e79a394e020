"""The outcome of a reply of any shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_emulator.app import RunningEmulator
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import Failure, FailureKind, Reply
from headgate_worker.core.model.flow_calls import FlowTriggered, TriggerFlow
from headgate_worker.upstream.enos.answers import outcome, wants_new_token
from headgate_worker.upstream.enos.replies import EnosReplyContext
from headgate_worker.upstream.http.connections import HttpReply
from tests.worker.upstream.enos.conftest import NOW_MS, body, client_of, failure


async def test_a_page_that_should_have_rows_is_never_taken_for_none(emulator: RunningEmulator) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, first_page=0)
    async with client_of(emulator, first_page=1) as client:
        await body(client, flow_calls.TriggerFlow(2809, NOW_MS))
        found = await failure(client, flow_calls.ListFlows(pb.FLOW_INSTANCE_TYPE_MANUAL, NOW_MS, NOW_MS + 1))

    assert (found.kind, found.code) == (FailureKind.TRANSIENT, "malformed_reply")


READING = EnosReplyContext(Timestamp(seconds=1), (None, None))
TRIGGER = TriggerFlow(1, 0)


def answer(status: int = 200, retry_after: str | None = None) -> HttpReply:
    return HttpReply(status, "text/html", retry_after, "gateway-1", b"")


def test_an_answer_brings_its_body_and_the_id_of_the_request() -> None:
    found = outcome(TRIGGER, answer(), {"code": 0, "data": {"flowInstanceId": "1-2"}}, READING)

    assert found == Reply(FlowTriggered("1-2"), "gateway-1", 0.0)


@pytest.mark.parametrize(
    ("status", "body", "code", "kind"),
    [
        (200, {}, "malformed_reply", FailureKind.AMBIGUOUS),
        (502, {"code": 0, "data": {"flowInstanceId": "1-2"}}, "malformed_reply", FailureKind.AMBIGUOUS),
        (429, {}, "malformed_reply", FailureKind.THROTTLED),
        (200, {"code": 0, "data": {}}, "malformed_reply", FailureKind.AMBIGUOUS),
        (200, {"code": 1004, "msg": "no"}, "1004", FailureKind.REFUSED),
        (403, {"code": 1203}, "1203", FailureKind.TRANSIENT),
    ],
)
def test_anything_else_is_a_failure_of_its_kind(
    status: int, body: dict[str, Any], code: str, kind: FailureKind
) -> None:
    found = outcome(TRIGGER, answer(status), body, READING)

    assert isinstance(found, Failure)
    assert (found.code, found.kind, found.http_status, found.request_id) == (code, kind, status, "gateway-1")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("0", 1.0),
        ("3600", 60.0),
        ("soon", None),
        ("٥", None),
        ("1.5", None),
        ("1" * 10, None),
    ],
)
def test_a_pause_is_taken_from_a_reply_within_bounds(header: str | None, seconds: float | None) -> None:
    found = outcome(TRIGGER, answer(429, header), {}, READING)

    assert isinstance(found, Failure) and found.retry_after_seconds == seconds


def test_only_a_token_that_is_not_known_any_more_is_renewed() -> None:
    def refused(code: str) -> Failure:
        return Failure(FailureKind.TRANSIENT, code, "")

    assert [code for code in ("1203", "1204", "4011", "4012", "1002", "1005") if wants_new_token(refused(code))] == [
        "1203",
        "1204",
        "4011",
        "4012",
    ]
    assert not wants_new_token(Reply(FlowTriggered("1-2"), "", 0.0))
