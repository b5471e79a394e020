"""The tasks of an ad hoc workflow instance (seed 003). Pure."""

from __future__ import annotations

from typing import Any

from alibabacloud_dataworks_public20240518 import models as sdk

from headgate import pb


def task(given: pb.AdhocTask) -> Any:
    """One task. The SDK writes an empty Dependencies list where there is none (measured)."""
    return sdk.ExecuteAdhocWorkflowInstanceRequestTasks(
        client_unique_code=given.client_unique_code,
        data_source=_data_source(given),
        dependencies=_dependencies(given),
        inputs=_inputs(given),
        name=given.name,
        outputs=_outputs(given),
        owner=given.owner,
        runtime_resource=_runtime_resource(given),
        script=_script(given),
        timeout=given.timeout or None,
        type=given.type,
    )


def _data_source(given: pb.AdhocTask) -> Any:
    if not given.data_source_name:
        return None
    return sdk.ExecuteAdhocWorkflowInstanceRequestTasksDataSource(name=given.data_source_name)


def _dependencies(given: pb.AdhocTask) -> Any:
    return [
        sdk.ExecuteAdhocWorkflowInstanceRequestTasksDependencies(upstream_output=output)
        for output in given.dependency_upstream_outputs
    ]


def _inputs(given: pb.AdhocTask) -> Any:
    if not given.input_variables:
        return None
    return sdk.ExecuteAdhocWorkflowInstanceRequestTasksInputs(
        variables=[
            sdk.ExecuteAdhocWorkflowInstanceRequestTasksInputsVariables(name=one.name, value=one.value)
            for one in given.input_variables
        ]
    )


def _outputs(given: pb.AdhocTask) -> Any:
    if not given.task_outputs and not given.output_variables:
        return None
    return sdk.ExecuteAdhocWorkflowInstanceRequestTasksOutputs(
        task_outputs=[
            sdk.ExecuteAdhocWorkflowInstanceRequestTasksOutputsTaskOutputs(output=output)
            for output in given.task_outputs
        ],
        variables=[
            sdk.ExecuteAdhocWorkflowInstanceRequestTasksOutputsVariables(
                name=one.name, type=one.type or None, value=one.value
            )
            for one in given.output_variables
        ],
    )


def _runtime_resource(given: pb.AdhocTask) -> Any:
    return sdk.ExecuteAdhocWorkflowInstanceRequestTasksRuntimeResource(
        cu=given.cu or None, image=given.image or None, resource_group_id=given.resource_group_id
    )


def _script(given: pb.AdhocTask) -> Any:
    if not given.script_content and not given.script_parameters:
        return None
    return sdk.ExecuteAdhocWorkflowInstanceRequestTasksScript(
        content=given.script_content, parameters=given.script_parameters or None
    )
