"""What a reply brings, of any bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.core.model.flow_calls import (
    CancelFlow,
    FlowCancelled,
    FlowTaskLog,
    GetFlow,
    GetFlowTaskLog,
    ListFlows,
    TriggerFlow,
)
from headgate_worker.upstream.enos.graph import mended
from headgate_worker.upstream.enos.replies import LOG_LENGTH, EnosReplyContext, MalformedEnosReply, decode, read

GRAPH = {"creator": "c", "id": 2809, "tasks": [{"taskId": 1, "taskInstId": "1-2", "x": 0.5, "status": "RUNNING"}]}


def test_a_proper_reply_is_left_as_it_is() -> None:
    proper = json.dumps({"data": {"graph": json.dumps(GRAPH)}})

    assert mended(proper) == proper


def test_two_rows_that_are_not_escaped_are_both_mended() -> None:
    text = json.dumps(GRAPH)
    broken = f'{{"rows": [{{"graph": "{text}", "n": 1}}, {{"graph":"{text}"}}]}}'

    rows = json.loads(mended(broken))["rows"]
    assert [json.loads(row["graph"]) for row in rows] == [GRAPH, GRAPH]


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_can_be_decoded(body: bytes) -> None:
    assert isinstance(decode(body), dict)
    decode(b'{"graph": "{' + body)


READING = EnosReplyContext(Timestamp(seconds=1), (None, None))
CALLS: dict[str, Any] = {
    "trigger": TriggerFlow(1, 0),
    "get": GetFlow("1-2"),
    "list": ListFlows(pb.FLOW_INSTANCE_TYPE_MANUAL, 0, 1, page=1, page_size=2),
    "log": GetFlowTaskLog("1-2", 10),
}


@pytest.mark.parametrize(
    ("call", "data", "field"),
    [
        ("trigger", None, "data"),
        ("trigger", {}, "data.flowInstanceId"),
        ("trigger", {"flowInstanceId": 12}, "data.flowInstanceId"),
        ("trigger", {"flowInstanceId": "a b"}, "data.flowInstanceId"),
        ("trigger", {"flowInstanceId": "1" * 129}, "data.flowInstanceId"),
        ("get", {"instanceId": "other"}, "data.instanceId"),
        ("get", {"instanceId": ""}, "data.instanceId"),
        ("list", {"count": 0}, ""),
        ("list", {"flowInsts": []}, "data.flowInsts"),
        ("list", {"count": 0, "flowInsts": {}}, "data.flowInsts"),
        ("list", {"count": 3, "flowInsts": []}, "data.flowInsts"),
        ("list", {"count": 2, "flowInsts": []}, ""),
        ("list", {"count": 0, "flowInsts": [{"instanceId": "1-2"}]}, "data.count"),
        ("list", {"count": 3, "flowInsts": [[]]}, "row"),
        ("list", {"count": 3, "flowInsts": [{}]}, "data.flowInsts.instanceId"),
        ("log", {"log": 5}, "data.log"),
        ("log", [], "data"),
    ],
)
def test_what_a_decision_hangs_on_is_there_or_the_member_is_named(call: str, data: object, field: str) -> None:
    if not field:
        assert read(CALLS[call], {"data": data}, READING)
        return
    with pytest.raises(MalformedEnosReply) as caught:
        read(CALLS[call], {"data": data}, READING)
    assert caught.value.field == field


def test_a_cancel_brings_nothing_and_a_log_its_end() -> None:
    assert read(CancelFlow("1-2"), {}, READING) == FlowCancelled()
    assert read(CALLS["log"], {"data": {"log": None}}, READING) == FlowTaskLog("")
    assert read(CALLS["log"], {"data": {"log": "a\ud800"}}, READING) == FlowTaskLog("a?")
    long = read(CALLS["log"], {"data": {"log": "a" + "b" * LOG_LENGTH}}, READING)
    assert isinstance(long, FlowTaskLog) and long.text == "b" * LOG_LENGTH


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"[" * 100_000])
def test_what_is_no_object_is_an_empty_one(body: bytes) -> None:
    assert decode(body) == {}
