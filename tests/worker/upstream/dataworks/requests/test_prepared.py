from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from headgate import pb
from headgate_worker.core.model import calls, task_calls
from headgate_worker.upstream.dataworks.client import DataWorks
from tests.worker.upstream.dataworks.requests.conftest import Sent
from tests.worker.upstream.dataworks.specs import FEBRUARY_5, failure_of, seed_spec
from tests.worker.upstream.scripted_server import Server

SEED_PROPERTIES = {
    "Analysis": {"Enabled": False, "Blocked": False},
    "Parallelism": 1,
    "RootTaskIds": [1023697426],
    "Mode": "AllDownstream",
}
SEED_PERIODS = {"BizDates": [{"StartBizDate": "2025-02-05", "EndBizDate": "2025-02-06"}]}


async def test_create_of_seed_000_has_its_parameters(sent: Sent) -> None:
    seen = await sent(calls.CreateInstances(seed_spec()))

    form = seen.form
    assert json.loads(form.pop("DefaultRunProperties")) == SEED_PROPERTIES
    assert json.loads(form.pop("Periods")) == SEED_PERIODS
    assert form == {
        "AutoStartEnabled": "False",
        "EnvType": "Prod",
        "Name": "devinTestSparkSQL20run1",
        "ProjectId": "257880",
        "Type": "SupplementData",
        "WorkflowId": "5188541262300189362",
    }
    assert (seen.method, seen.target, seen.action) == ("POST", "/", "CreateWorkflowInstances")


@pytest.mark.parametrize(
    ("call", "method", "query", "form"),
    [
        (calls.GetCreateResult("d860"), "GET", {"OperationId": "d860"}, {}),
        (calls.StartInstances((1, 2)), "POST", {}, {"Ids": "[1,2]"}),
        (calls.StopInstances((1,), "why not"), "POST", {}, {"Ids": "[1]", "Comment": "why not"}),
        (
            task_calls.RerunTasks((1, 2), "why", use_latest_config=True),
            "POST",
            {},
            {"Ids": "[1,2]", "Comment": "why", "UseLatestConfig": "True"},
        ),
        (task_calls.RerunTasks((1,)), "POST", {}, {"Ids": "[1]"}),
        (task_calls.SetSuccessTasks((1,)), "POST", {}, {"Ids": "[1]"}),
        (task_calls.StopTasks((1,), "why"), "POST", {}, {"Ids": "[1]", "Comment": "why"}),
        (task_calls.SuspendTasks((1,)), "POST", {}, {"Ids": "[1]"}),
        (task_calls.ResumeTasks((1,)), "POST", {}, {"Ids": "[1]"}),
        (calls.GetInstance(1000341554601), "GET", {"Id": "1000341554601"}, {}),
        (
            calls.ListInstances(257880, FEBRUARY_5),
            "POST",
            {},
            {
                "ProjectId": "257880",
                "BizDate": "1738684800000",
                "PageNumber": "1",
                "PageSize": "100",
                "SortBy": "Id Asc",
            },
        ),
        (
            calls.ListInstances(
                257880,
                FEBRUARY_5,
                name="中 +*",
                type=pb.WORKFLOW_INSTANCE_TYPE_NORMAL,
                env_type=pb.ENV_TYPE_DEV,
                ids=(2**62,),
                page_number=3,
                page_size=7,
            ),
            "POST",
            {},
            {
                "ProjectId": "257880",
                "BizDate": "1738684800000",
                "Name": "中 +*",
                "Type": "Normal",
                "EnvType": "Dev",
                "Ids": "[4611686018427387904]",
                "PageNumber": "3",
                "PageSize": "7",
                "SortBy": "Id Asc",
            },
        ),
        (calls.GetRerunResult("d860"), "POST", {"OperationId": "d860"}, {}),
        (
            calls.ListTasks(257880, FEBRUARY_5, 7, 2, 500),
            "POST",
            {},
            {
                "ProjectId": "257880",
                "Bizdate": "1738684800000",
                "WorkflowInstanceId": "7",
                "PageNumber": "2",
                "PageSize": "500",
                "SortBy": "Id Asc",
            },
        ),
        (calls.GetTask(9), "GET", {"Id": "9"}, {}),
        (calls.GetTaskLog(9), "GET", {"Id": "9"}, {}),
        (calls.GetTaskLog(9, 2), "GET", {"Id": "9", "RunNumber": "2"}, {}),
    ],
)
async def test_call_travels_as(
    sent: Sent, call: calls.Call, method: str, query: dict[str, str], form: dict[str, str]
) -> None:
    seen = await sent(call)

    assert (seen.method, seen.action) == (method, calls.ACTIONS[type(call)])
    assert (seen.query, seen.form) == (query, form)


@pytest.mark.parametrize(("given", "text"), [(True, "True"), (False, "False"), (None, "False")])
async def test_auto_start_is_always_said(sent: Sent, given: bool | None, text: str) -> None:
    spec = seed_spec()
    if given is not None:
        spec.auto_start_enabled = given

    assert (await sent(calls.CreateInstances(spec))).form["AutoStartEnabled"] == text


async def test_workflow_0_stands_for_scheduled_tasks(sent: Sent) -> None:
    spec = seed_spec()
    spec.workflow_id = 0

    assert (await sent(calls.CreateInstances(spec))).form["WorkflowId"] == "1"


async def test_every_other_create_parameter_has_its_upstream_name(sent: Sent) -> None:
    spec = seed_spec()
    spec.periods.start_time, spec.periods.end_time = "00:00:00", "12:00:00"
    spec.workflow_parameters, spec.task_parameters, spec.comment = "a=1 b=2", '{"1":"k=v"}', "why"
    spec.tags.add(key="team", value="a")
    spec.tag_creation_policy = pb.TAG_CREATION_POLICY_APPEND

    form = (await sent(calls.CreateInstances(spec))).form

    assert json.loads(form["Periods"]) == {**SEED_PERIODS, "StartTime": "00:00:00", "EndTime": "12:00:00"}
    assert (form["WorkflowParameters"], form["TaskParameters"]) == ("a=1 b=2", '{"1":"k=v"}')
    assert (form["Comment"], form["TagCreationPolicy"]) == ("why", "Append")
    assert json.loads(form["Tags"]) == [{"Key": "team", "Value": "a"}]


async def test_extra_parameters_are_passed_on_as_they_are(sent: Sent) -> None:
    spec = seed_spec()
    given = {
        "Text": " as is ",
        "Big": "5188541262300189362",
        "Whole": 3,
        "Part": 0.5,
        "Flag": True,
        "Nothing": None,
        "BizdateIntervals": [{"StartDate": "2025-02-05", "Count": 2, "Deep": {"中": None}}],
        "Name": "not this one",
    }
    spec.extra.CopyFrom(ParseDict(given, Struct()))

    form = (await sent(calls.CreateInstances(spec))).form

    assert (form["Text"], form["Big"], form["Whole"], form["Part"]) == (" as is ", "5188541262300189362", "3", "0.5")
    assert form["Flag"] == "True"
    assert json.loads(form["BizdateIntervals"]) == given["BizdateIntervals"]
    assert " " not in form["BizdateIntervals"]
    assert form["Name"] == "devinTestSparkSQL20run1"
    assert "Nothing" not in form


async def test_rerun_travels_as(sent: Sent) -> None:
    spec = pb.RerunWorkflowInstancesSpec(
        project_id=1,
        workflow_id=9,
        env_type=pb.ENV_TYPE_PROD,
        ids=[3, 4],
        name="n",
        status=pb.WORKFLOW_INSTANCE_STATUS_FAILURE,
        biz_date=Date(year=2025, month=2, day=5),
        start_trigger_time=Timestamp(seconds=5, nanos=6_000_000),
        end_trigger_time=Timestamp(seconds=7),
        filter=pb.RerunFilter(
            rerun_downstream_enabled=True,
            task_ids=[8],
            task_instance_statuses=["Failure"],
            task_name="t",
            task_types=["ODPS_SQL"],
        ),
    )

    form = (await sent(calls.RerunInstances(spec))).form

    assert json.loads(form.pop("Filter")) == {
        "RerunDownstreamEnabled": True,
        "TaskIds": [8],
        "TaskInstanceStatuses": ["Failure"],
        "TaskName": "t",
        "TaskTypes": ["ODPS_SQL"],
    }
    assert form == {
        "ProjectId": "1",
        "WorkflowId": "9",
        "Type": "ManualWorkflow",
        "EnvType": "Prod",
        "Ids": "[3,4]",
        "Name": "n",
        "Status": "Failure",
        "Bizdate": "1738684800000",
        "StartTriggerTime": "5006",
        "EndTriggerTime": "7000",
    }


async def test_rerun_of_a_whole_workflow_says_no_more_than_that(sent: Sent) -> None:
    form = (await sent(calls.RerunInstances(pb.RerunWorkflowInstancesSpec(project_id=1, workflow_id=9)))).form

    assert form == {"ProjectId": "1", "WorkflowId": "9", "Type": "ManualWorkflow"}


def spec_with(**changes: Any) -> pb.CreateWorkflowInstancesSpec:
    spec = seed_spec()
    spec.MergeFrom(pb.CreateWorkflowInstancesSpec(**changes))
    return spec


@pytest.mark.parametrize(
    "spec",
    [
        spec_with(extra=ParseDict({"Deep": [{"Id": 5188541262300189362}]}, Struct())),
        spec_with(extra=Struct(fields={"Endless": Value(number_value=inf)})),
        spec_with(periods=pb.Periods(biz_dates=[pb.DateRange(start_biz_date=Date(year=2025, month=2, day=30))])),
    ],
)
async def test_call_that_can_not_be_written_is_refused_unsent(
    server: Server, client: DataWorks, spec: pb.CreateWorkflowInstancesSpec
) -> None:
    failure = failure_of(await client.call(calls.CreateInstances(spec), timeout_seconds=10))

    assert (failure.kind, failure.code) == (calls.FailureKind.REFUSED, "unsendable_call")
    assert not server.seen
