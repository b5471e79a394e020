"""WorkflowInstanceService: writes become jobs, reads go to workers."""

from __future__ import annotations

from google.protobuf.message import Message

from headgate import pb
from headgate_server.instances import upstream_reads
from headgate_server.instances.instance_stream import InstanceWatch
from headgate_server.jobs.submit import Intake
from headgate_server.ports.call import Call, Sink
from headgate_server.ports.instance_kinds import WORKFLOW
from headgate_server.ports.reads import Cost, UpstreamReads
from headgate_server.requests import validator


class WorkflowInstanceService:
    """DataWorks workflow instances."""

    def __init__(self, intake: Intake, reading: UpstreamReads, watching: InstanceWatch) -> None:
        self._intake = intake
        self._reads = reading
        self._watching = watching

    async def _submit(self, request: Message, call: Call) -> bytes:
        return (await self._intake.submit(request, call)).body

    create_workflow_instances = _submit
    start_workflow_instances = _submit
    stop_workflow_instances = _submit
    rerun_workflow_instances = _submit
    execute_adhoc_workflow_instance = _submit

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
        cost = Cost(reads=len(request.ids))
        return await self._reads.ask("BatchGetWorkflowInstances", request, call, cost=cost)

    async def list_workflow_instances(self, request: pb.ListWorkflowInstancesRequest, call: Call) -> bytes:
        """ListWorkflowInstances."""
        validator.check(request)
        return await self._reads.ask("ListWorkflowInstances", request, call)

    async def watch_workflow_instances(self, request: pb.WatchWorkflowInstancesRequest, call: Call, sink: Sink) -> None:
        """WatchWorkflowInstances."""
        validator.check(request)
        await self._watching.follow(WORKFLOW, request.ids, request, sink, call.caller)
