"""Members of a JSON object that can't be trusted."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.dates import LAST_MILLIS
from headgate_worker.upstream.dataworks.replies.fields import MalformedDataWorksReply, Members
from headgate_worker.upstream.dataworks.replies.reading import DataWorksReplyContext, read
from tests.worker.upstream.dataworks.specs import FIRST

NOW = DataWorksReplyContext(Timestamp(seconds=1739022300), "request")
GET = calls.GetInstance(FIRST)


def reply_to(call: calls.Call, **members: Any) -> Any:
    return read(call, Members(members), NOW)


def test_broken_surrogates_become_question_marks() -> None:
    found = reply_to(GET, WorkflowInstance={"Id": FIRST, "Name": "a\ud800b 中"})

    assert isinstance(found, pb.WorkflowInstance)
    assert found.name == "a?b 中"


@pytest.mark.parametrize("name", ["Id", "WorkflowId", "ProjectId", "WorkflowTaskInstanceId"])
@pytest.mark.parametrize("value", [-1, 2**63, 1.0, 1.5, True, "1.0", "-1", "x", "٣", "1" * 40, [1], {"a": 1}])
def test_id_that_is_none_makes_a_reply_malformed(name: str, value: Any) -> None:
    with pytest.raises(MalformedDataWorksReply) as caught:
        reply_to(GET, WorkflowInstance={"Id": FIRST, name: value})

    assert caught.value.field == f"WorkflowInstance.{name}"


@pytest.mark.parametrize("value", [-1, LAST_MILLIS + 1, 2**63, 1e12, "2025-02-05", True])
def test_time_without_sense_makes_a_reply_malformed(value: Any) -> None:
    for name in ("BizDate", "StartedTime", "FinishedTime", "CreateTime", "ModifyTime"):
        with pytest.raises(MalformedDataWorksReply, match=rf"WorkflowInstance\.{name}"):
            reply_to(GET, WorkflowInstance={"Id": FIRST, name: value})


@pytest.mark.parametrize("name", ["Name", "Status", "Type", "EnvType", "Owner", "CreateUser", "WorkflowParameters"])
@pytest.mark.parametrize("value", [5, True, ["Running"], {"a": 1}, "x" * 2_000_000])
def test_text_that_is_none_makes_a_reply_malformed(name: str, value: Any) -> None:
    with pytest.raises(MalformedDataWorksReply, match=rf"WorkflowInstance\.{name}"):
        reply_to(GET, WorkflowInstance={"Id": FIRST, name: value})
