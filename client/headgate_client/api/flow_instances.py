"""EnOS batch flows: triggers and cancels make jobs, reads are answered by a worker."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Unpack

import grpc
from google.protobuf.message import Message

from headgate import pb
from headgate.v1.flow_instance_service_pb2_grpc import FlowInstanceServiceStub
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

FlowChange = pb.WatchFlowInstancesResponse


class Flows:
    """Flow instances. Every method may raise HeadgateError; SubmitOptions says what `options` can be."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller, jobs: Jobs) -> None:
        self._stub = FlowInstanceServiceStub(channel)
        self._caller = caller
        self._jobs = jobs

    async def trigger(self, spec: pb.TriggerFlowSpec, **options: Unpack[SubmitOptions]) -> JobHandle:
        """Trigger a flow and follow the instance to its end."""
        return await self._jobs.submit(pb.TriggerFlowRequest(spec=spec), **options)

    async def cancel(self, flow_instance_id: str, **options: Unpack[SubmitOptions]) -> JobHandle:
        """Cancel a flow instance and follow it to its end."""
        spec = pb.CancelFlowInstanceSpec(flow_instance_id=flow_instance_id)
        return await self._jobs.submit(pb.CancelFlowInstanceRequest(spec=spec), **options)

    async def get(
        self, instance_id: str, *, max_staleness: timedelta | None = None, connection: str = ""
    ) -> pb.FlowInstance:
        """Read one flow instance; with `max_staleness` the last observation will do if it is not older."""
        request = pb.GetFlowInstanceRequest(
            instance_id=instance_id, max_staleness=duration(max_staleness), connection=connection
        )
        return await self._caller.call("GetFlowInstance", self._stub.GetFlowInstance, request, safe=True)

    def list(self, request: pb.ListFlowInstancesRequest) -> AsyncIterator[pb.FlowInstance]:
        """Walk the flow instances of a window of trigger times; pages are fetched as reached."""
        first = pb.ListFlowInstancesRequest()
        first.CopyFrom(request)
        return walk_pages(self.list_page, first, lambda reply: reply.flow_instances)

    async def list_page(self, request: pb.ListFlowInstancesRequest) -> pb.ListFlowInstancesResponse:
        """Read one page of a list."""
        return await self._caller.call("ListFlowInstances", self._stub.ListFlowInstances, request, safe=True)

    async def task_log(
        self, task_instance_id: str, *, max_length: int = 0, connection: str = ""
    ) -> pb.GetFlowTaskInstanceLogResponse:
        """Read the log of one task instance, at most `max_length` bytes; 0 means 64 KiB."""
        request = pb.GetFlowTaskInstanceLogRequest(
            task_instance_id=task_instance_id, max_length=max_length, connection=connection
        )
        unary = self._stub.GetFlowTaskInstanceLog
        return await self._caller.call("GetFlowTaskInstanceLog", unary, request, safe=True)

    def watch(
        self,
        instance_ids: Sequence[str],
        *,
        until_terminal: bool = True,
        connection: str = "",
        watch: WatchOptions | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Following[FlowChange]:
        """Follow flow instances, 1 to 100: the present row of each, then every observed change.

        With `until_terminal` it ends when all of them have ended.
        """
        chosen = watch or self._caller.options.watch
        request = pb.WatchFlowInstancesRequest(
            instance_ids=instance_ids,
            progress_interval=duration(chosen.progress_interval),
            until_terminal=until_terminal,
            connection=connection,
        )
        source = RowsSource(lambda: self._open(request, chosen), _row)
        return Following(source, Reconnecting(self._caller, chosen, on_reconnect))

    def _open(self, request: pb.WatchFlowInstancesRequest, watch: WatchOptions) -> Stream[FlowChange]:
        streaming = self._stub.WatchFlowInstances
        return open_stream("WatchFlowInstances", streaming, request, self._caller.options, watch.longest_silence)


def _row(change: FlowChange) -> tuple[object, Message] | None:
    if change.HasField("unreadable"):
        return change.unreadable.instance_id, change.unreadable.error
    if not change.HasField("flow_instance"):
        return None
    row = pb.FlowInstance()
    row.CopyFrom(change.flow_instance)
    row.ClearField("observe_time")
    return row.instance_id, row
