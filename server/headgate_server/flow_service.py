"""FlowInstanceService: triggers and cancels become jobs, reads go to workers."""

from __future__ import annotations

from google.protobuf.message import Message

from headgate import pb
from headgate_server import requests
from headgate_server.instance_kinds import FLOW
from headgate_server.instance_watch import InstanceWatch
from headgate_server.intake import Intake
from headgate_server.reads import Reads
from headgate_server.rpc import Call, Sink


class FlowInstanceService:
    """EnOS flow instances."""

    def __init__(self, intake: Intake, reading: Reads, watching: InstanceWatch) -> None:
        self._intake = intake
        self._reads = reading
        self._watching = watching

    async def _submit(self, request: Message, call: Call) -> bytes:
        return (await self._intake.submit(request, call)).body

    trigger_flow = _submit
    cancel_flow_instance = _submit

    async def get_flow_instance(self, request: pb.GetFlowInstanceRequest, call: Call) -> bytes:
        """GetFlowInstance."""
        requests.check(request)
        found = await self._reads.recent(
            request.connection, [request.instance_id], request.max_staleness, kind=pb.FlowInstance
        )
        return found[0] if found else await self._reads.ask("GetFlowInstance", request, call)

    async def list_flow_instances(self, request: pb.ListFlowInstancesRequest, call: Call) -> bytes:
        """ListFlowInstances."""
        requests.check(request)
        return await self._reads.ask("ListFlowInstances", request, call)

    async def get_flow_task_instance_log(self, request: pb.GetFlowTaskInstanceLogRequest, call: Call) -> bytes:
        """GetFlowTaskInstanceLog."""
        requests.check(request)
        return await self._reads.ask("GetFlowTaskInstanceLog", request, call)

    async def watch_flow_instances(self, request: pb.WatchFlowInstancesRequest, call: Call, sink: Sink) -> None:
        """WatchFlowInstances."""
        requests.check(request)
        await self._watching.follow(FLOW, request.instance_ids, request, sink, call.caller)
