"""Spell the world's values as the JSON members that DataWorks answers.

Pure. A member that has no value is absent, never null (seed 000). Upstream times are whole seconds in ms.
"""

from collections.abc import Mapping
from typing import Any

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
    """SuccessInfo of Start and Stop: keys are the ids as text, a success has no Message (seed 000)."""
    return {
        str(identity): _present(Success=entry.success, Message=entry.message) for identity, entry in entries.items()
    }


def task_json(row: TaskRow) -> Json:
    """A TaskInstance as the list shows it. `TriggerRecurrence` Skip marks a dry run."""
    one, spec = row.instance, row.task.spec
    return _present(
        Id=row.task.id,
        TaskId=spec.id,
        TaskName=row.name,
        TaskType=spec.type,
        Status=str(row.status),
        ProjectId=one.project_id,
        ProjectEnv=one.env_type,
        WorkflowId=one.workflow_id,
        WorkflowName=one.name,
        WorkflowInstanceId=one.id,
        WorkflowInstanceType=one.type,
        Bizdate=one.biz_date,
        TriggerType="Scheduler" if one.type == "SupplementData" else "Manual",
        TriggerTime=_seconds(one.biz_date),
        TriggerRecurrence="Skip" if row.dry_run else "Normal",
        StartedTime=_seconds(row.started_at),
        FinishedTime=_seconds(row.finished_at),
        CreateTime=_seconds(one.create_time),
        ModifyTime=_seconds(row.finished_at or row.started_at or one.create_time),
        CreateUser=one.create_user,
        ModifyUser=one.modify_user,
        Owner=one.owner or one.create_user,
        PeriodNumber=1,
        RunNumber=row.run_number,
        Priority=1,
        RerunMode="AllAllowed",
    )


def task_detail_json(row: TaskRow) -> Json:
    """A TaskInstance as GetTaskInstance shows it: the list's members and the script."""
    return task_json(row) | {"Script": {"Content": row.task.spec.content}}


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
