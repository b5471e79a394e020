"""RPCs that are declared and not built. The one list of them: they answer UNIMPLEMENTED, METHOD_UNBUILT."""

from __future__ import annotations

from typing import Final

_JOBS: Final = ("WatchJobs", "RetryJob", "ResolveJob", "ExplainJob")
_FLOWS: Final = (
    "GetFlowInstance",
    "ListFlowInstances",
    "TriggerFlow",
    "CancelFlowInstance",
    "WatchFlowInstances",
    "GetFlowTaskInstanceLog",
)
_TASKS: Final = ("ListTaskInstances", "GetTaskInstance", "GetTaskInstanceLog")
_OPERATIONS: Final = ("ListOperations", "GetOperation", "DeleteOperation", "CancelOperation", "WaitOperation")

UNBUILT: Final = frozenset(
    {
        *(f"headgate.v1.JobService.{name}" for name in _JOBS),
        *(f"headgate.v1.FlowInstanceService.{name}" for name in _FLOWS),
        *(f"headgate.v1.TaskInstanceService.{name}" for name in _TASKS),
        *(f"google.longrunning.Operations.{name}" for name in _OPERATIONS),
        "headgate.v1.BackfillService.PlanBackfill",
        "headgate.v1.AdminService.GetQuota",
        "headgate.v1.WorkflowInstanceService.WatchWorkflowInstances",
    }
)
"""Full names, as in a descriptor."""
