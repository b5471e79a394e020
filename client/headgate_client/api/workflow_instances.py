"""DataWorks workflow instances: writes make jobs, reads are answered by a worker."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Unpack

import grpc
from google.protobuf.message import Message

from headgate import pb
from headgate.v1.workflow_instance_service_pb2_grpc import WorkflowInstanceServiceStub
from headgate_client.api.handle import JobHandle
from headgate_client.api.jobs import Jobs
from headgate_client.api.paging import walk_pages
from headgate_client.api.submitting import SubmitOptions
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.stream import Stream, open_stream
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.values.conversions import duration
from headgate_client.watch.following import Following
from headgate_client.watch.following_sources import RowsSource
from headgate_client.watch.reconnecting import OnReconnect, Reconnecting

InstanceChange = pb.WatchWorkflowInstancesResponse


class WorkflowInstances:
    """Workflow instances. Every method may raise HeadgateError; SubmitOptions says what `options` can be."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller, jobs: Jobs) -> None:
        self._stub = WorkflowInstanceServiceStub(channel)
        self._caller = caller
        self._jobs = jobs

    async def create(self, spec: pb.CreateWorkflowInstancesSpec, **options: Unpack[SubmitOptions]) -> JobHandle:
        """Create workflow instances."""
        return await self._jobs.submit(pb.CreateWorkflowInstancesRequest(spec=spec), **options)

    async def start(self, ids: Sequence[int], *, comment: str = "", **options: Unpack[SubmitOptions]) -> JobHandle:
        """Start workflow instances, 1 to 1,000, and follow them to their end."""
        spec = pb.StartWorkflowInstancesSpec(ids=ids, comment=comment)
        return await self._jobs.submit(pb.StartWorkflowInstancesRequest(spec=spec), **options)

    async def stop(self, ids: Sequence[int], *, comment: str = "", **options: Unpack[SubmitOptions]) -> JobHandle:
        """Stop workflow instances, 1 to 1,000; the job is done when each was read ended."""
        spec = pb.StopWorkflowInstancesSpec(ids=ids, comment=comment)
        return await self._jobs.submit(pb.StopWorkflowInstancesRequest(spec=spec), **options)

    async def rerun(self, spec: pb.RerunWorkflowInstancesSpec, **options: Unpack[SubmitOptions]) -> JobHandle:
        """Rerun instances of a manual workflow."""
        return await self._jobs.submit(pb.RerunWorkflowInstancesRequest(spec=spec), **options)

    async def execute_adhoc(
        self, spec: pb.ExecuteAdhocWorkflowInstanceSpec, **options: Unpack[SubmitOptions]
    ) -> JobHandle:
        """Create a temporary instance from the given tasks and run it."""
        return await self._jobs.submit(pb.ExecuteAdhocWorkflowInstanceRequest(spec=spec), **options)

    async def get(
        self, id: int, *, max_staleness: timedelta | None = None, connection: str = ""
    ) -> pb.WorkflowInstance:
        """Read one instance; with `max_staleness` the last observation will do if it is not older."""
        request = pb.GetWorkflowInstanceRequest(id=id, max_staleness=duration(max_staleness), connection=connection)
        return await self._caller.call("GetWorkflowInstance", self._stub.GetWorkflowInstance, request, safe=True)

    async def batch_get(
        self, ids: Sequence[int], *, max_staleness: timedelta | None = None, connection: str = ""
    ) -> Sequence[pb.WorkflowInstance]:
        """Read several instances, 1 to 100, in the order asked for."""
        request = pb.BatchGetWorkflowInstancesRequest(
            ids=ids, max_staleness=duration(max_staleness), connection=connection
        )
        unary = self._stub.BatchGetWorkflowInstances
        reply = await self._caller.call("BatchGetWorkflowInstances", unary, request, safe=True)
        return tuple(reply.workflow_instances)

    def list(self, request: pb.ListWorkflowInstancesRequest) -> AsyncIterator[pb.WorkflowInstance]:
        """Walk the instances of a project over business dates, oldest first; pages are fetched as reached."""
        first = pb.ListWorkflowInstancesRequest()
        first.CopyFrom(request)
        return walk_pages(self.list_page, first, lambda reply: reply.workflow_instances)

    async def list_page(self, request: pb.ListWorkflowInstancesRequest) -> pb.ListWorkflowInstancesResponse:
        """Read one page of a list."""
        unary = self._stub.ListWorkflowInstances
        return await self._caller.call("ListWorkflowInstances", unary, request, safe=True)

    def watch(
        self,
        ids: Sequence[int],
        *,
        until_terminal: bool = True,
        connection: str = "",
        watch: WatchOptions | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Following[InstanceChange]:
        """Follow instances, 1 to 100, of any job or none: each one's present row, then every observed change.

        With `until_terminal` it ends when all of them have ended.
        """
        chosen = watch or self._caller.options.watch
        request = pb.WatchWorkflowInstancesRequest(
            ids=ids,
            progress_interval=duration(chosen.progress_interval),
            until_terminal=until_terminal,
            connection=connection,
        )
        source = RowsSource(lambda: self._open(request, chosen), _row)
        return Following(source, Reconnecting(self._caller, chosen, on_reconnect))

    def _open(self, request: pb.WatchWorkflowInstancesRequest, watch: WatchOptions) -> Stream[InstanceChange]:
        streaming = self._stub.WatchWorkflowInstances
        return open_stream("WatchWorkflowInstances", streaming, request, self._caller.options, watch.longest_silence)


def _row(change: InstanceChange) -> tuple[object, Message] | None:
    if change.HasField("unreadable"):
        return change.unreadable.id, change.unreadable.error
    if not change.HasField("workflow_instance"):
        return None
    row = pb.WorkflowInstance()
    row.CopyFrom(change.workflow_instance)
    row.ClearField("observe_time")
    row.ClearField("upstream_request_id")
    return row.id, row
