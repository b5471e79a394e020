"""One workflow instance of a reply."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.replies.fields import Members
from headgate_worker.upstream.dataworks.replies.reading import DataWorksReplyContext, read
from tests.worker.upstream.dataworks.specs import FEBRUARY_5, FIRST

NOW = DataWorksReplyContext(Timestamp(seconds=1739022300), "request")
GET = calls.GetInstance(FIRST)


SEED_INSTANCE = {
    "BizDate": 1738684800000,
    "CreateTime": 1739022201000,
    "CreateUser": "200527038829996354",
    "EnvType": "Prod",
    "FinishedTime": 1739022338123,
    "Id": FIRST,
    "ModifyTime": 1739022338000,
    "ModifyUser": "200527038829996354",
    "Name": "devinTestSparkSQL20run1",
    "ProjectId": 257880,
    "StartedTime": 1739022265000,
    "Status": "Success",
    "Type": "SupplementData",
    "WorkflowId": 1,
}


def reply_to(call: calls.Call, **members: Any) -> Any:
    return read(call, Members(members), NOW)


def test_instance_of_seed_000_is_mirrored() -> None:
    assert reply_to(GET, WorkflowInstance=SEED_INSTANCE) == pb.WorkflowInstance(
        id=FIRST,
        workflow_id=1,
        name="devinTestSparkSQL20run1",
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        type_raw="SupplementData",
        status=pb.WORKFLOW_INSTANCE_STATUS_SUCCESS,
        status_raw="Success",
        biz_date=Date(year=2025, month=2, day=5),
        biz_date_millis=FEBRUARY_5,
        started_time=Timestamp(seconds=1739022265),
        finished_time=Timestamp(seconds=1739022338, nanos=123_000_000),
        create_time=Timestamp(seconds=1739022201),
        modify_time=Timestamp(seconds=1739022338),
        project_id=257880,
        env_type=pb.ENV_TYPE_PROD,
        env_type_raw="Prod",
        create_user="200527038829996354",
        modify_user="200527038829996354",
        observe_time=NOW.time,
        upstream_request_id="request",
    )


def test_newer_members_of_an_instance_are_mirrored() -> None:
    row = {
        "Id": str(FIRST),
        "WorkflowTaskInstanceId": 2,
        "UnifiedWorkflowInstanceId": "3",
        "Owner": "o",
        "WorkflowParameters": "a=1",
        "Tags": [{"Key": "team", "Value": "a"}, {"Key": "bare"}],
        "NeverHeardOf": {"x": 1},
    }

    found = reply_to(GET, WorkflowInstance=row)

    assert isinstance(found, pb.WorkflowInstance)
    assert (found.workflow_task_instance_id, found.unified_workflow_instance_id) == (2, 3)
    assert (found.owner, found.workflow_parameters) == ("o", "a=1")
    assert [(tag.key, tag.value) for tag in found.tags] == [("team", "a"), ("bare", "")]


def test_unknown_words_are_kept_and_mean_nothing() -> None:
    row = {"Id": FIRST, "Status": "Hovering", "Type": "NewKind", "EnvType": "Stage"}

    found = reply_to(GET, WorkflowInstance=row)

    assert isinstance(found, pb.WorkflowInstance)
    assert (found.status, found.status_raw) == (pb.WORKFLOW_INSTANCE_STATUS_UNSPECIFIED, "Hovering")
    assert (found.type, found.type_raw) == (pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED, "NewKind")
    assert (found.env_type, found.env_type_raw) == (pb.ENV_TYPE_UNSPECIFIED, "Stage")


@pytest.mark.parametrize("nothing", [None, 0, "0"])
def test_time_that_has_not_come_is_absent(nothing: Any) -> None:
    found = reply_to(GET, WorkflowInstance={"Id": FIRST, "StartedTime": nothing, "BizDate": nothing})

    assert isinstance(found, pb.WorkflowInstance)
    assert not found.HasField("started_time")
    assert not found.HasField("biz_date")
    assert found.biz_date_millis == 0
