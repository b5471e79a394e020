"""FlowInstanceService: triggers and cancels become jobs, reads go to workers."""

from __future__ import annotations

from headgate import pb
from headgate_server.ports.call import Call, ReplySink
from headgate_server.ports.instance_kinds import FLOW
from headgate_server.requests import validator
from headgate_server.services.instances import InstanceService


class FlowInstanceService(InstanceService):
    """EnOS flow instances."""

    trigger_flow = InstanceService.submit
    cancel_flow_instance = InstanceService.submit

    async def get_flow_instance(self, request: pb.GetFlowInstanceRequest, call: Call) -> bytes:
        """GetFlowInstance."""
        validator.check(request)
        found = await self._reads.recent(
            request.connection, [request.instance_id], request.max_staleness, kind=pb.FlowInstance
        )
        return found[0] if found else await self._reads.ask("GetFlowInstance", request, call)

    async def list_flow_instances(self, request: pb.ListFlowInstancesRequest, call: Call) -> bytes:
        """ListFlowInstances."""
        validator.check(request)
        return await self._reads.ask("ListFlowInstances", request, call)

    async def get_flow_task_instance_log(self, request: pb.GetFlowTaskInstanceLogRequest, call: Call) -> bytes:
        """GetFlowTaskInstanceLog."""
        validator.check(request)
        return await self._reads.ask("GetFlowTaskInstanceLog", request, call)

    async def watch_flow_instances(self, request: pb.WatchFlowInstancesRequest, call: Call, sink: ReplySink) -> None:
        """WatchFlowInstances."""
        validator.check(request)
        call.watches(len(request.instance_ids))
        await self._watching.follow(FLOW, request.instance_ids, request, sink, call.caller)
