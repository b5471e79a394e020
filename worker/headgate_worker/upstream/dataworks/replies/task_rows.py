"""One task instance of a reply. Pure. Members and types: SDK 9.11."""

from __future__ import annotations

from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2

from headgate import pb
from headgate_worker.upstream.dataworks import words
from headgate_worker.upstream.dataworks.dates import LAST_MILLIS
from headgate_worker.upstream.dataworks.replies.fields import MAX_ID, MalformedDataWorksReply, Members
from headgate_worker.upstream.dataworks.replies.rows import PARAMETERS_LENGTH, biz_date, tags, word

SCRIPT_LENGTH = 512 * 1024
TASK_BYTES = 2 * 1024 * 1024
"""Most bytes of a task instance in a reply; a reply to a caller may take 4 MiB."""

MAX_INT32 = 2**31 - 1
MAX_TIMEOUT_SECONDS = LAST_MILLIS // 1000
MAX_VARIABLES = 1000


def task(row: Members, read_at: timestamp_pb2.Timestamp, request_id: str) -> pb.TaskInstance:
    """A task instance. Only Id is needed; words that we do not know are kept raw."""
    found = _read(row, read_at, request_id)
    if found.ByteSize() > TASK_BYTES:
        raise MalformedDataWorksReply(row.path("Id"))
    return found


def _read(row: Members, read_at: timestamp_pb2.Timestamp, request_id: str) -> pb.TaskInstance:
    return pb.TaskInstance(
        id=row.needed_id("Id"),
        status=word(row, "Status"),
        project_id=row.count("ProjectId"),
        biz_date=biz_date(row, "Bizdate"),
        biz_date_millis=row.millis("Bizdate"),
        run_number=row.count("RunNumber", most=MAX_INT32),
        observe_time=read_at,
        upstream_request_id=request_id,
        **_of_task(row),
        **_of_workflow(row),
        **_of_trigger(row),
        **_of_record(row),
        **_of_execution(row),
        **_details(row),
    )


def _of_task(row: Members) -> dict[str, Any]:
    return {
        "task_id": row.count("TaskId"),
        "task_name": row.text("TaskName"),
        "task_type": word(row, "TaskType"),
        "description": row.text("Description"),
        "priority": _number(row, "Priority", MAX_INT32),
        "baseline_id": _number(row, "BaselineId", MAX_ID),
        "rerun_mode": word(row, "RerunMode"),
        "timeout": _timeout(row),
    }


def _timeout(row: Members) -> duration_pb2.Duration | None:
    seconds = _number(row, "Timeout", MAX_TIMEOUT_SECONDS)
    return duration_pb2.Duration(seconds=seconds) if seconds else None


def _of_workflow(row: Members) -> dict[str, Any]:
    type_raw, env_raw = word(row, "WorkflowInstanceType"), word(row, "ProjectEnv")
    return {
        "workflow_id": row.count("WorkflowId"),
        "workflow_name": row.text("WorkflowName"),
        "workflow_instance_id": row.count("WorkflowInstanceId"),
        "unified_workflow_instance_id": row.count("UnifiedWorkflowInstanceId"),
        "workflow_instance_type": words.TASK_INSTANCE_TYPE_OF.get(type_raw, pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED),
        "workflow_instance_type_raw": type_raw,
        "project_env": words.ENV_TYPE_OF.get(env_raw, pb.ENV_TYPE_UNSPECIFIED),
        "project_env_raw": env_raw,
    }


def _of_trigger(row: Members) -> dict[str, Any]:
    return {
        "trigger_type": word(row, "TriggerType"),
        "trigger_recurrence": word(row, "TriggerRecurrence"),
        "trigger_time": row.time("TriggerTime"),
        "period_number": _number(row, "PeriodNumber", MAX_INT32),
        "waiting_trigger_time": row.time("WaitingTriggerTime"),
        "waiting_resource_time": row.time("WaitingResourceTime"),
        "started_time": row.time("StartedTime"),
        "finished_time": row.time("FinishedTime"),
    }


def _of_record(row: Members) -> dict[str, Any]:
    return {
        "create_time": row.time("CreateTime"),
        "modify_time": row.time("ModifyTime"),
        "create_user": word(row, "CreateUser"),
        "modify_user": word(row, "ModifyUser"),
        "owner": word(row, "Owner"),
        "operation_type": word(row, "OperationType"),
    }


def _of_execution(row: Members) -> dict[str, Any]:
    """How and where it runs. Lists say ScriptParameters where GetTaskInstance says Script.Parameters."""
    script = _part(row, "Script")
    runtime, resource, source = (_part(row, name) for name in ("Runtime", "RuntimeResource", "DataSource"))
    return {
        "script_parameters": row.text("ScriptParameters", length=PARAMETERS_LENGTH)
        or script.text("Parameters", length=PARAMETERS_LENGTH),
        "gateway": runtime.text("Gateway"),
        "process_id": word(runtime, "ProcessId"),
        "resource_group_id": word(resource, "ResourceGroupId"),
        "resource_cu": word(resource, "Cu"),
        "resource_image": resource.text("Image"),
        "data_source": source.text("Name"),
    }


def _details(row: Members) -> dict[str, Any]:
    """What only GetTaskInstance says."""
    script, inputs, outputs = (_part(row, name) for name in ("Script", "Inputs", "Outputs"))
    return {
        "script_content": script.text("Content", length=SCRIPT_LENGTH),
        "input_variables": _variables(inputs),
        "output_variables": _variables(outputs),
        "outputs": [one.text("Output") for one in outputs.members("TaskOutputs")[:MAX_VARIABLES]],
        "tags": tags(row),
    }


def _variables(part: Members) -> list[pb.TaskVariable]:
    return [
        pb.TaskVariable(name=one.text("Name"), type=word(one, "Type"), value=one.text("Value"))
        for one in part.members("Variables")[:MAX_VARIABLES]
    ]


def _number(row: Members, name: str, most: int) -> int:
    """A number that nothing depends on; 0 where it makes no sense, such as -1 for none: a row is not lost for that."""
    try:
        return row.count(name, most=most)
    except MalformedDataWorksReply:
        return 0


def _part(row: Members, name: str) -> Members:
    return row.member(name) if row.has(name) else Members({}, row.path(name))
