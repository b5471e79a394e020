"""DataWorks task instances: writes make jobs, reads and logs are answered by a worker."""

from collections.abc import AsyncIterator, Sequence
from typing import Unpack

import grpc

from headgate import pb
from headgate.v1.task_instance_service_pb2_grpc import TaskInstanceServiceStub
from headgate_client.api.handle import JobHandle
from headgate_client.api.jobs import Jobs
from headgate_client.api.paging import walk_pages
from headgate_client.api.submitting import SubmitOptions
from headgate_client.rpc.unary_caller import UnaryCaller


class Tasks:
    """Task instances. Every method may raise HeadgateError; SubmitOptions tells what `options` can be."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller, jobs: Jobs) -> None:
        self._stub = TaskInstanceServiceStub(channel)
        self._caller = caller
        self._jobs = jobs

    async def rerun(
        self,
        ids: Sequence[int],
        *,
        comment: str = "",
        use_latest_config: bool = False,
        **options: Unpack[SubmitOptions],
    ) -> JobHandle:
        """Run task instances again, 1 to 100 that have ended, and follow the new runs to their end."""
        spec = pb.RerunTaskInstancesSpec(ids=ids, comment=comment, use_latest_config=use_latest_config)
        return await self._jobs.submit(pb.RerunTaskInstancesRequest(spec=spec), **options)

    async def set_success(
        self, ids: Sequence[int], *, comment: str = "", **options: Unpack[SubmitOptions]
    ) -> JobHandle:
        """Set failed task instances, 1 to 100, to success, so that what waits for them runs."""
        spec = pb.SetSuccessTaskInstancesSpec(ids=ids, comment=comment)
        return await self._jobs.submit(pb.SetSuccessTaskInstancesRequest(spec=spec), **options)

    async def stop(self, ids: Sequence[int], *, comment: str = "", **options: Unpack[SubmitOptions]) -> JobHandle:
        """Stop task instances, 1 to 100; the job is done when each was read ended."""
        spec = pb.StopTaskInstancesSpec(ids=ids, comment=comment)
        return await self._jobs.submit(pb.StopTaskInstancesRequest(spec=spec), **options)

    async def suspend(self, ids: Sequence[int], *, comment: str = "", **options: Unpack[SubmitOptions]) -> JobHandle:
        """Suspend task instances, 1 to 100: upstream does not run them until they are resumed."""
        spec = pb.SuspendTaskInstancesSpec(ids=ids, comment=comment)
        return await self._jobs.submit(pb.SuspendTaskInstancesRequest(spec=spec), **options)

    async def resume(self, ids: Sequence[int], *, comment: str = "", **options: Unpack[SubmitOptions]) -> JobHandle:
        """Resume task instances, 1 to 100, that were suspended."""
        spec = pb.ResumeTaskInstancesSpec(ids=ids, comment=comment)
        return await self._jobs.submit(pb.ResumeTaskInstancesRequest(spec=spec), **options)

    def list(
        self, workflow_instance_id: int, *, status: str = "", connection: str = "", page_size: int = 0
    ) -> AsyncIterator[pb.TaskInstance]:
        """Walk the task instances of a workflow instance by ascending id; pages are fetched as reached.

        `status` is upstream's word, such as "Failure"; empty lets all pass.
        """
        return self.search(
            pb.ListTaskInstancesRequest(
                workflow_instance_id=workflow_instance_id, status=status, connection=connection, page_size=page_size
            )
        )

    def search(self, request: pb.ListTaskInstancesRequest) -> AsyncIterator[pb.TaskInstance]:
        """Walk the task instances that a request selects, with every filter there is; pages are fetched as reached."""
        first = pb.ListTaskInstancesRequest()
        first.CopyFrom(request)
        return walk_pages(self.list_page, first, lambda reply: reply.task_instances)

    async def list_page(self, request: pb.ListTaskInstancesRequest) -> pb.ListTaskInstancesResponse:
        """Read one page of a list."""
        return await self._caller.call("ListTaskInstances", self._stub.ListTaskInstances, request, safe=True)

    async def get(self, id: int, *, connection: str = "") -> pb.TaskInstance:
        """Read one task instance, with its script, variables and tags."""
        request = pb.GetTaskInstanceRequest(id=id, connection=connection)
        return await self._caller.call("GetTaskInstance", self._stub.GetTaskInstance, request, safe=True)

    async def log(
        self, id: int, *, run_number: int = 0, max_length: int = 0, connection: str = ""
    ) -> pb.TaskInstanceLog:
        """Read the end of a task instance's log: at most `max_length` bytes, 0 means 64 KiB.

        `run_number` chooses a run, from 1; 0 means the latest.
        """
        request = pb.GetTaskInstanceLogRequest(
            id=id, run_number=run_number, max_length=max_length, connection=connection
        )
        return await self._caller.call("GetTaskInstanceLog", self._stub.GetTaskInstanceLog, request, safe=True)
