"""Task instances, member by member: what a list asks for, and what a reply says."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.replies.fields import MalformedDataWorksReply
from tests.worker.upstream.dataworks.replies.test_reading import NOW, TASK, TASKS, page, reply_to
from tests.worker.upstream.dataworks.specs import FEBRUARY_5, FIRST, ask
from tests.worker.upstream.scripted_server import Server, always, http

EVERY_FILTER = calls.TaskFilter(
    workflow_id=5,
    workflow_instance_type=pb.WORKFLOW_INSTANCE_TYPE_MANUAL,
    unified_workflow_instance_id=6,
    project_env=pb.ENV_TYPE_DEV,
    id=4,
    ids=(3,),
    task_ids=(1, 2),
    task_name="load",
    task_type="ODPS_SQL",
    status="Failure",
    trigger_type="Manual",
    trigger_recurrence="Skip",
    owner="o",
    runtime_resource="g",
)


async def test_every_filter_of_a_list_travels(server: Server, client: DataWorks) -> None:
    server.behave = always(http({"Code": "NoMatter"}, 400))

    await ask(client, calls.ListTasks(257880, FEBRUARY_5, 0, filter=EVERY_FILTER, sort_by="FinishedTime Asc"))

    assert server.seen[0].form == {
        "ProjectId": "257880",
        "Bizdate": "1738684800000",
        "WorkflowId": "5",
        "WorkflowInstanceType": "Manual",
        "UnifiedWorkflowInstanceId": "6",
        "ProjectEnv": "Dev",
        "Id": "4",
        "Ids": "[3]",
        "TaskIds": "[1,2]",
        "TaskName": "load",
        "TaskType": "ODPS_SQL",
        "Status": "Failure",
        "TriggerType": "Manual",
        "TriggerRecurrence": "Skip",
        "Owner": "o",
        "RuntimeResource": "g",
        "PageNumber": "1",
        "PageSize": "100",
        "SortBy": "FinishedTime Asc",
    }


def test_task_is_mirrored() -> None:
    row = {
        "Id": 7,
        "TaskId": 1023697426,
        "TaskName": "t",
        "TaskType": "ODPS_SQL",
        "Status": "WaitTrigger",
        "WorkflowInstanceId": FIRST,
        "Bizdate": FEBRUARY_5,
        "StartedTime": 1739022265000,
        "FinishedTime": 1739022338000,
        "RunNumber": 1,
        "TriggerType": "Manual",
        "TriggerRecurrence": "Skip",
        "Owner": "o",
        "ProjectId": 257880,
        "ProjectEnv": "Prod",
        "WorkflowId": 1,
        "WorkflowName": "w",
        "WorkflowInstanceType": "ManualFlow",
        "UnifiedWorkflowInstanceId": 8,
        "TriggerTime": 1739022264000,
        "WaitingTriggerTime": 1739022261000,
        "WaitingResourceTime": 1739022262000,
        "CreateTime": 1739022201000,
        "ModifyTime": 1739022338000,
        "CreateUser": "c",
        "ModifyUser": "m",
        "Description": "d",
        "OperationType": "Rerun",
        "PeriodNumber": 3,
        "Priority": 8,
        "BaselineId": -1,
        "Timeout": 7200,
        "RerunMode": "FailureAllowed",
        "Runtime": {"Gateway": "gw", "ProcessId": "p"},
        "RuntimeResource": {"ResourceGroupId": "g", "Cu": "0.25", "Image": "i"},
        "DataSource": {"Name": "odps_first"},
        "Script": {"Content": "select 1;", "Parameters": "k=v"},
        "Inputs": {"Variables": [{"Name": "a", "Type": "Constant", "Value": "1"}]},
        "Outputs": {"Variables": [{"Name": "b", "Type": "NodeOutput", "Value": "2"}], "TaskOutputs": [{"Output": "x"}]},
        "Tags": [{"Key": "t", "Value": "u"}],
    }

    assert reply_to(TASK, TaskInstance=row) == pb.TaskInstance(
        id=7,
        task_id=1023697426,
        task_name="t",
        task_type="ODPS_SQL",
        status="WaitTrigger",
        workflow_instance_id=FIRST,
        biz_date=Date(year=2025, month=2, day=5),
        started_time=Timestamp(seconds=1739022265),
        finished_time=Timestamp(seconds=1739022338),
        run_number=1,
        trigger_type="Manual",
        trigger_recurrence="Skip",
        owner="o",
        project_id=257880,
        project_env=pb.ENV_TYPE_PROD,
        project_env_raw="Prod",
        workflow_id=1,
        workflow_name="w",
        workflow_instance_type=pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW,
        workflow_instance_type_raw="ManualFlow",
        unified_workflow_instance_id=8,
        trigger_time=Timestamp(seconds=1739022264),
        waiting_trigger_time=Timestamp(seconds=1739022261),
        waiting_resource_time=Timestamp(seconds=1739022262),
        create_time=Timestamp(seconds=1739022201),
        modify_time=Timestamp(seconds=1739022338),
        create_user="c",
        modify_user="m",
        description="d",
        operation_type="Rerun",
        period_number=3,
        priority=8,
        timeout=Duration(seconds=7200),
        rerun_mode="FailureAllowed",
        script_parameters="k=v",
        gateway="gw",
        process_id="p",
        resource_group_id="g",
        resource_cu="0.25",
        resource_image="i",
        data_source="odps_first",
        script_content="select 1;",
        input_variables=[pb.TaskVariable(name="a", type="Constant", value="1")],
        output_variables=[pb.TaskVariable(name="b", type="NodeOutput", value="2")],
        outputs=["x"],
        tags=[pb.Tag(key="t", value="u")],
        biz_date_millis=FEBRUARY_5,
        upstream_request_id="request",
        observe_time=NOW.time,
    )


@pytest.mark.parametrize("name", ["Runtime", "RuntimeResource", "DataSource", "Script", "Inputs", "Outputs", "Tags"])
def test_a_part_of_a_task_that_is_no_object_is_malformed(name: str) -> None:
    with pytest.raises(MalformedDataWorksReply, match=name):
        reply_to(TASK, TaskInstance={"Id": 7, name: "text"})


def test_a_task_too_large_to_be_told_is_malformed() -> None:
    outputs = [{"Output": "x" * 4096}] * 600

    with pytest.raises(MalformedDataWorksReply):
        reply_to(TASK, TaskInstance={"Id": 7, "Outputs": {"TaskOutputs": outputs}})


def test_a_list_of_another_instances_tasks_is_malformed() -> None:
    mine, foreign, silent = ({"Id": 7, "WorkflowInstanceId": FIRST}, {"Id": 8, "WorkflowInstanceId": 5}, {"Id": 9})

    found = reply_to(TASKS, **page("TaskInstances", mine, silent))
    assert isinstance(found, calls.TaskPage) and [row.id for row in found.tasks] == [7, 9]
    with pytest.raises(MalformedDataWorksReply, match="TaskInstances"):
        reply_to(TASKS, **page("TaskInstances", mine, foreign))
    of_all = calls.ListTasks(257880, FEBRUARY_5, 0)
    assert isinstance(reply_to(of_all, **page("TaskInstances", mine, foreign)), calls.TaskPage)


@pytest.mark.parametrize(
    "members", [{"TaskInstance": {"Id": 8}}, {"TaskInstance": {"TaskId": 7}}, {"TaskInstance": []}]
)
def test_another_task_than_was_asked_for_is_malformed(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedDataWorksReply):
        reply_to(TASK, **members)


@pytest.mark.parametrize("log", [5, ["text"], {"Log": "text"}, True])
def test_a_log_that_is_no_text_is_malformed(log: object) -> None:
    with pytest.raises(MalformedDataWorksReply):
        reply_to(calls.GetTaskLog(7), TaskInstanceLog=log)
