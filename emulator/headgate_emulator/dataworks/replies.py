"""Spell the world's values as the JSON members that DataWorks answers.

Pure. A member that has no value is absent, never null (seed 000). Upstream times are whole seconds in ms.
"""

from collections.abc import Mapping
from typing import Any

from headgate_emulator.dataworks import tasks
from headgate_emulator.dataworks.dates import business_date
from headgate_emulator.dataworks.errors import Refusal
from headgate_emulator.dataworks.instances import Creation, Entry, Instance, Rerunning
from headgate_emulator.dataworks.listing import Paged
from headgate_emulator.dataworks.tasks import TaskRow

Json = dict[str, Any]


def instance_json(one: Instance, *, modern: bool) -> Json:
    """A WorkflowInstance; `modern` adds the two ids that replies of 2025 lacked."""
    newer = {"UnifiedWorkflowInstanceId": one.id, "WorkflowTaskInstanceId": one.id} if modern else {}
    return newer | _present(
        BizDate=one.biz_date,
        CreateTime=_seconds(one.create_time),
        CreateUser=one.create_user,
        EnvType=one.env_type,
        FinishedTime=_seconds(one.run.finished_at),
        Id=one.id,
        ModifyTime=_seconds(one.modify_time),
        ModifyUser=one.modify_user,
        Name=one.name,
        Owner=one.owner,
        ProjectId=one.project_id,
        StartedTime=_seconds(one.run.started_at),
        Status=str(one.status),
        Tags=[{"Key": tag.key, "Value": tag.value} for tag in one.tags] or None,
        Type=one.type,
        WorkflowId=one.workflow_id,
        WorkflowParameters=one.workflow_parameters,
    )


def creation_json(creation: Creation, *, modern: bool) -> Json:
    """The Result of a create operation; id lists only once it is Created."""
    ids = list(creation.instance_ids) or None
    newer = {"UnifiedWorkflowInstanceIds": ids, "WorkflowTaskInstanceIds": ids} if modern and ids else {}
    return newer | _present(Status=creation.status, WorkflowInstanceIds=ids, FailureMessage=creation.failure)


def rerunning_json(rerunning: Rerunning) -> Json:
    """The Result of a rerun operation."""
    return _present(Status=rerunning.status, FailureMessage=rerunning.failure)


def success_info(entries: Mapping[int, Entry]) -> Json:
    """SuccessInfo of Start, Stop and task writes: keys are the ids as text, a success has no Message (seed 000)."""
    return {
        str(identity): _present(Success=entry.success, Message=entry.message) for identity, entry in entries.items()
    }


def task_json(row: TaskRow) -> Json:
    """A TaskInstance as the list shows it."""
    return _present(
        Id=row.task.id,
        Status=str(row.status),
        RunNumber=row.run_number,
        StartedTime=_seconds(row.started_at),
        FinishedTime=_seconds(row.finished_at),
        ModifyTime=_seconds(row.finished_at or row.started_at or row.instance.create_time),
        **_of_task(row),
        **_of_workflow(row),
        **_of_execution(row),
    )


def _of_task(row: TaskRow) -> Json:
    spec = row.task.spec
    return {
        "TaskId": spec.id,
        "TaskName": row.name,
        "TaskType": spec.type,
        "Owner": tasks.owner(row),
        "Priority": 1,
        "Timeout": 3600,
        "RerunMode": "AllAllowed",
    }


def _of_workflow(row: TaskRow) -> Json:
    one = row.instance
    return {
        "ProjectId": one.project_id,
        "ProjectEnv": one.env_type,
        "WorkflowId": one.workflow_id,
        "WorkflowName": one.name,
        "WorkflowInstanceId": one.id,
        "WorkflowInstanceType": one.type,
        "UnifiedWorkflowInstanceId": one.id,
        "Bizdate": one.biz_date,
        "CreateTime": _seconds(one.create_time),
        "CreateUser": one.create_user,
        "ModifyUser": one.modify_user,
    }


def _of_execution(row: TaskRow) -> Json:
    return {
        "TriggerType": tasks.trigger_type(row),
        "TriggerTime": _seconds(row.instance.biz_date),
        "TriggerRecurrence": tasks.trigger_recurrence(row),
        "PeriodNumber": 1,
        "ScriptParameters": f"bizdate={business_date(row.instance.biz_date):%Y%m%d}",
        "RuntimeResource": {"ResourceGroupId": tasks.RESOURCE_GROUP, "Cu": "0.25"},
        "Runtime": {"Gateway": "emulator", "ProcessId": str(row.task.id)} if row.started_at else None,
    }


def task_detail_json(row: TaskRow) -> Json:
    """A TaskInstance as GetTaskInstance shows it: the list's members, script, outputs and tags."""
    found = task_json(row)
    parameters = found.pop("ScriptParameters")
    return found | {
        "Script": {"Content": row.task.spec.content, "Parameters": parameters},
        "Outputs": {"TaskOutputs": [{"Output": f"{row.instance.project_id}.{row.task.spec.id}_out"}]},
        "Tags": [{"Key": tag.key, "Value": tag.value} for tag in row.instance.tags],
    }


def paging_json(paged: Paged[Any], member: str, rows: list[Json]) -> Json:
    """PagingInfo with its rows under `member`."""
    return {
        "PageNumber": paged.number,
        "PageSize": paged.size,
        "TotalCount": paged.total,
        member: rows,
    }


def error_json(refusal: Refusal, request_id: str, host: str) -> Json:
    """The error envelope: exactly five members, all text (captured body in a public question)."""
    return {
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={refusal.code}&product=dataworks-public",
        "Message": refusal.message,
        "RequestId": request_id,
        "HostId": host,
        "Code": refusal.code,
    }


def _present(**members: object) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def _seconds(millis: int | None) -> int | None:
    return None if millis is None else millis // 1000 * 1000
