"""Turn a call into the SDK's request model.

Pure, and the only place that knows the SDK's request members. Empty members are left out: upstream then applies its
own default. AutoStartEnabled is the exception, since its documented default and its behaviour differ (seed 000).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alibabacloud_dataworks_public20240518 import models as sdk

from headgate import pb
from headgate_worker.core.model import calls, task_calls
from headgate_worker.upstream.dataworks import words
from headgate_worker.upstream.dataworks.dates import midnight_millis
from headgate_worker.upstream.dataworks.requests import adhoc, backfill
from headgate_worker.upstream.dataworks.requests.extra import UnsendableToDataWorks, parameters

SCHEDULED_WORKFLOW_ID = 1
"""The workflow id of everything made of scheduled tasks (seed 001)."""


@dataclass(frozen=True, slots=True)
class DataWorksRequest:
    """A request that can be sent.

    Args:
        method: the SDK client's method that takes it.
        model: the SDK's request model.
        extra: form parameters that the model does not know, as text; a parameter of the model wins over them.
    """

    method: str
    model: Any
    extra: Mapping[str, str] = field(default_factory=dict)


def prepare(call: calls.Call) -> DataWorksRequest:
    """The request of a call. Raises Unsendable for a call that is not DataWorks', or a value that can't be sent."""
    if type(call) not in _BUILDERS:
        raise UnsendableToDataWorks(f"DataWorks has no {calls.ACTIONS[type(call)]}; the connection is of another kind")
    method, build = _BUILDERS[type(call)]
    try:
        model = build(call)
        extra = parameters(call.spec.extra) if isinstance(call, calls.CreateInstances) else {}
    except ValueError as error:
        raise UnsendableToDataWorks(str(error)) from error
    return DataWorksRequest(f"{method}_with_options_async", model, extra)


def _create(call: calls.CreateInstances) -> Any:
    spec = call.spec
    return sdk.CreateWorkflowInstancesRequest(
        auto_start_enabled=spec.auto_start_enabled,
        comment=spec.comment or None,
        default_run_properties=backfill.run_properties(spec),
        env_type=words.ENV_TYPES.get(spec.env_type),
        name=spec.name,
        periods=backfill.periods(spec),
        project_id=spec.project_id,
        tag_creation_policy=words.TAG_POLICIES.get(spec.tag_creation_policy),
        tags=[sdk.CreateWorkflowInstancesRequestTags(key=tag.key, value=tag.value) for tag in spec.tags] or None,
        task_parameters=spec.task_parameters or None,
        type=words.INSTANCE_TYPES.get(spec.type),
        workflow_id=spec.workflow_id or SCHEDULED_WORKFLOW_ID,
        workflow_parameters=spec.workflow_parameters or None,
    )


def _create_result(call: calls.GetCreateResult) -> Any:
    return sdk.GetCreateWorkflowInstancesResultRequest(operation_id=call.operation_id)


def _start(call: calls.StartInstances) -> Any:
    return sdk.StartWorkflowInstancesRequest(ids=list(call.ids), comment=call.comment or None)


def _stop(call: calls.StopInstances) -> Any:
    return sdk.StopWorkflowInstancesRequest(ids=list(call.ids), comment=call.comment or None)


def _instance(call: calls.GetInstance) -> Any:
    return sdk.GetWorkflowInstanceRequest(id=call.id)


def _instances(call: calls.ListInstances) -> Any:
    return sdk.ListWorkflowInstancesRequest(
        project_id=call.project_id,
        biz_date=call.biz_date_millis,
        name=call.name or None,
        type=words.INSTANCE_TYPES.get(call.type),
        env_type=words.ENV_TYPES.get(call.env_type),
        ids=list(call.ids) or None,
        page_number=call.page_number,
        page_size=call.page_size,
        sort_by="Id Asc",
        owner=call.owner or None,
        workflow_id=call.workflow_id or None,
        unified_workflow_instance_id=call.unified_workflow_instance_id or None,
        tags=list(call.tags) or None,
    )


def _adhoc(call: calls.ExecuteAdhoc) -> Any:
    spec = call.spec
    return sdk.ExecuteAdhocWorkflowInstanceRequest(
        biz_date=midnight_millis(spec.biz_date) if spec.HasField("biz_date") else None,
        env_type=words.ENV_TYPES.get(spec.env_type),
        name=spec.name,
        owner=spec.owner,
        project_id=spec.project_id,
        tasks=[adhoc.task(one) for one in spec.tasks],
    )


def _rerun(call: calls.RerunInstances) -> Any:
    spec = call.spec
    return sdk.RerunWorkflowInstancesRequest(
        bizdate=midnight_millis(spec.biz_date) if spec.HasField("biz_date") else None,
        start_trigger_time=spec.start_trigger_time.ToMilliseconds() if spec.HasField("start_trigger_time") else None,
        end_trigger_time=spec.end_trigger_time.ToMilliseconds() if spec.HasField("end_trigger_time") else None,
        env_type=words.ENV_TYPES.get(spec.env_type),
        filter=_rerun_filter(spec.filter) if spec.HasField("filter") else None,
        ids=list(spec.ids) or None,
        name=spec.name or None,
        project_id=spec.project_id,
        status=words.INSTANCE_STATUSES.get(spec.status),
        type=words.INSTANCE_TYPES[pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW],
        workflow_id=spec.workflow_id,
    )


def _rerun_filter(chosen: pb.RerunFilter) -> Any:
    return sdk.RerunWorkflowInstancesRequestFilter(
        rerun_downstream_enabled=chosen.rerun_downstream_enabled,
        task_ids=list(chosen.task_ids) or None,
        task_instance_statuses=list(chosen.task_instance_statuses) or None,
        task_name=chosen.task_name or None,
        task_types=list(chosen.task_types) or None,
    )


def _rerun_result(call: calls.GetRerunResult) -> Any:
    return sdk.GetRerunWorkflowInstancesResultRequest(operation_id=call.operation_id)


def _tasks(call: calls.ListTasks) -> Any:
    only = call.filter
    return sdk.ListTaskInstancesRequest(
        project_id=call.project_id,
        bizdate=call.biz_date_millis,
        workflow_instance_id=call.workflow_instance_id or None,
        unified_workflow_instance_id=only.unified_workflow_instance_id or None,
        workflow_id=only.workflow_id or None,
        workflow_instance_type=words.INSTANCE_TYPES.get(only.workflow_instance_type),
        project_env=words.ENV_TYPES.get(only.project_env),
        id=only.id or None,
        ids=list(only.ids) or None,
        task_ids=list(only.task_ids) or None,
        task_name=only.task_name or None,
        task_type=only.task_type or None,
        status=only.status or None,
        trigger_type=only.trigger_type or None,
        trigger_recurrence=only.trigger_recurrence or None,
        owner=only.owner or None,
        runtime_resource=only.runtime_resource or None,
        page_number=call.page_number,
        page_size=call.page_size,
        sort_by=call.sort_by,
    )


def _task(call: calls.GetTask) -> Any:
    return sdk.GetTaskInstanceRequest(id=call.id)


def _task_log(call: calls.GetTaskLog) -> Any:
    return sdk.GetTaskInstanceLogRequest(id=call.id, run_number=call.run_number or None)


def _rerun_tasks(call: task_calls.RerunTasks) -> Any:
    latest = call.use_latest_config or None
    return sdk.RerunTaskInstancesRequest(ids=list(call.ids), comment=call.comment or None, use_latest_config=latest)


def _set_success_tasks(call: task_calls.SetSuccessTasks) -> Any:
    return sdk.SetSuccessTaskInstancesRequest(ids=list(call.ids), comment=call.comment or None)


def _stop_tasks(call: task_calls.StopTasks) -> Any:
    return sdk.StopTaskInstancesRequest(ids=list(call.ids), comment=call.comment or None)


def _suspend_tasks(call: task_calls.SuspendTasks) -> Any:
    return sdk.SuspendTaskInstancesRequest(ids=list(call.ids), comment=call.comment or None)


def _resume_tasks(call: task_calls.ResumeTasks) -> Any:
    return sdk.ResumeTaskInstancesRequest(ids=list(call.ids), comment=call.comment or None)


_BUILDERS: Mapping[type, tuple[str, Callable[[Any], Any]]] = {
    calls.CreateInstances: ("create_workflow_instances", _create),
    calls.GetCreateResult: ("get_create_workflow_instances_result", _create_result),
    calls.StartInstances: ("start_workflow_instances", _start),
    calls.StopInstances: ("stop_workflow_instances", _stop),
    calls.GetInstance: ("get_workflow_instance", _instance),
    calls.ListInstances: ("list_workflow_instances", _instances),
    calls.ExecuteAdhoc: ("execute_adhoc_workflow_instance", _adhoc),
    calls.RerunInstances: ("rerun_workflow_instances", _rerun),
    calls.GetRerunResult: ("get_rerun_workflow_instances_result", _rerun_result),
    calls.ListTasks: ("list_task_instances", _tasks),
    calls.GetTask: ("get_task_instance", _task),
    calls.GetTaskLog: ("get_task_instance_log", _task_log),
    task_calls.RerunTasks: ("rerun_task_instances", _rerun_tasks),
    task_calls.SetSuccessTasks: ("set_success_task_instances", _set_success_tasks),
    task_calls.StopTasks: ("stop_task_instances", _stop_tasks),
    task_calls.SuspendTasks: ("suspend_task_instances", _suspend_tasks),
    task_calls.ResumeTasks: ("resume_task_instances", _resume_tasks),
}
