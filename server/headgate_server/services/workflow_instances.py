"""WorkflowInstanceService: writes become jobs, reads go to workers."""

from __future__ import annotations

from google.protobuf.message import Message

from headgate import pb
from headgate_server.instances import upstream_reads
from headgate_server.ports.call import Call, ReplySink
from headgate_server.ports.instance_kinds import WORKFLOW
from headgate_server.ports.reads import ReadCost
from headgate_server.requests import validator
from headgate_server.services.instances import InstanceService


class WorkflowInstanceService(InstanceService):
    """DataWorks workflow instances."""

    create_workflow_instances = InstanceService.submit
    start_workflow_instances = InstanceService.submit
    stop_workflow_instances = InstanceService.submit
    rerun_workflow_instances = InstanceService.submit
    execute_adhoc_workflow_instance = InstanceService.submit

    async def get_workflow_instance(self, request: pb.GetWorkflowInstanceRequest, call: Call) -> bytes:
        """GetWorkflowInstance."""
        validator.check(request)
        found = await self._reads.recent(request.connection, [request.id], request.max_staleness)
        return found[0] if found else await self._reads.ask("GetWorkflowInstance", request, call)

    async def batch_get_workflow_instances(
        self, request: pb.BatchGetWorkflowInstancesRequest, call: Call
    ) -> Message | bytes:
        """BatchGetWorkflowInstances."""
        validator.check(request)
        found = await self._reads.recent(request.connection, request.ids, request.max_staleness)
        if found:
            return upstream_reads.batch(found)
        cost = ReadCost(reads=len(request.ids))
        return await self._reads.ask("BatchGetWorkflowInstances", request, call, cost=cost)

    async def list_workflow_instances(self, request: pb.ListWorkflowInstancesRequest, call: Call) -> bytes:
        """ListWorkflowInstances."""
        validator.check(request)
        return await self._reads.ask("ListWorkflowInstances", request, call)

    async def watch_workflow_instances(
        self, request: pb.WatchWorkflowInstancesRequest, call: Call, sink: ReplySink
    ) -> None:
        """WatchWorkflowInstances."""
        validator.check(request)
        call.watches(len(request.ids))
        await self._watching.follow(WORKFLOW, request.ids, request, sink, call.caller)
