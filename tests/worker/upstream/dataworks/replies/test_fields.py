"""Members of a JSON object that can't be trusted."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.dates import LAST_MILLIS
from headgate_worker.upstream.dataworks.replies.fields import LIST_LENGTH, MalformedDataWorksReply, Members
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


@pytest.mark.parametrize(
    ("value", "found"), [(True, True), (False, False), ("true", True), ("FALSE", False), ("yes", None), (1, None)]
)
def test_a_boolean_may_be_its_word(value: Any, found: bool | None) -> None:
    if found is not None:
        assert Members({"a": value}).boolean("a") is found
        return
    with pytest.raises(MalformedDataWorksReply):
        Members({"a": value}).boolean("a")


def test_what_is_absent_or_null_is_empty_unless_it_is_needed() -> None:
    for members in (Members({}), Members({"a": None})):
        assert (members.text("a"), members.count("a"), members.ids("a"), members.members("a")) == ("", 0, (), [])
        assert members.time("a") is None
        for needed in (members.member, members.needed_text, members.needed_id, members.boolean):
            with pytest.raises(MalformedDataWorksReply):
                needed("a")
    assert not Members({"a": None}).has("a") and Members({"a": None}).has("a", null=True)
    assert not Members({}).has("a", null=True) and Members({"a": 0}).has("a")


def test_a_list_of_ids_has_each_once_and_none_that_is_0() -> None:
    assert Members({"a": [3, "1", 3]}).ids("a") == (3, 1)
    for value in ([0], [None], [1.5], "1", {"a": 1}, [1] * (LIST_LENGTH + 1)):
        with pytest.raises(MalformedDataWorksReply):
            Members({"a": value}).ids("a")


def test_a_member_is_named_by_its_whole_path() -> None:
    rows = Members({"Page": {"Rows": [{"Id": 1}, {"Id": 0}]}}).member("Page").members("Rows")

    assert rows[0].needed_id("Id") == 1
    with pytest.raises(MalformedDataWorksReply) as caught:
        rows[1].needed_id("Id")
    assert caught.value.field == "Page.Rows[1].Id"
    with pytest.raises(MalformedDataWorksReply, match=r"Page\.Rows"):
        Members({"Rows": [{}, 5]}, "Page").members("Rows")


def test_a_time_keeps_its_milliseconds() -> None:
    assert Members({"a": 1_500}).time("a") == Timestamp(seconds=1, nanos=500_000_000)
    assert Members({"a": LAST_MILLIS}).millis("a") == LAST_MILLIS and Members({"a": 0}).time("a") is None


def test_a_text_is_as_long_as_it_may_be_and_no_longer() -> None:
    assert Members({"a": "x" * 5}).text("a", length=5) == "x" * 5
    with pytest.raises(MalformedDataWorksReply):
        Members({"a": "x" * 6}).needed_text("a", length=5)
