"""TaskInstanceService: writes become jobs, reads go to workers."""

from __future__ import annotations

from headgate import pb
from headgate_server.jobs.submit import Submitter
from headgate_server.ports.call import Call
from headgate_server.ports.reads import UpstreamReads
from headgate_server.requests import validator
from headgate_server.services.instances import SubmitService


class TaskInstanceService(SubmitService):
    """DataWorks task instances."""

    rerun_task_instances = SubmitService.submit
    set_success_task_instances = SubmitService.submit
    stop_task_instances = SubmitService.submit
    suspend_task_instances = SubmitService.submit
    resume_task_instances = SubmitService.submit

    def __init__(self, submitter: Submitter, reading: UpstreamReads) -> None:
        super().__init__(submitter)
        self._reads = reading

    async def list_task_instances(self, request: pb.ListTaskInstancesRequest, call: Call) -> bytes:
        """ListTaskInstances."""
        validator.check(request)
        return await self._reads.ask("ListTaskInstances", request, call)

    async def get_task_instance(self, request: pb.GetTaskInstanceRequest, call: Call) -> bytes:
        """GetTaskInstance."""
        validator.check(request)
        return await self._reads.ask("GetTaskInstance", request, call)

    async def get_task_instance_log(self, request: pb.GetTaskInstanceLogRequest, call: Call) -> bytes:
        """GetTaskInstanceLog."""
        validator.check(request)
        return await self._reads.ask("GetTaskInstanceLog", request, call)
