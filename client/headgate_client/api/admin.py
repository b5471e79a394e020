"""What the deployment is and may do."""

from collections.abc import AsyncIterator
from typing import Final

import grpc

from headgate import pb
from headgate.v1.admin_service_pb2_grpc import AdminServiceStub
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.values.names import job_name

CHECK_SECONDS: Final = 50.0
"""How much longer than other calls a check may take: it reads whole logs."""


class Admin:
    """Facts about the deployment. Every method may raise HeadgateError."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller) -> None:
        self._stub = AdminServiceStub(channel)
        self._caller = caller

    async def server_info(self) -> pb.ServerInfo:
        """Return the version, the limits, which features are on and which methods are not built."""
        request = pb.GetServerInfoRequest()
        return await self._caller.call("GetServerInfo", self._stub.GetServerInfo, request, safe=True)

    async def check_jobs(self, job: str = "") -> AsyncIterator[pb.CheckJobsResponse]:
        """Check what is kept of one job, or page by page of all jobs; each page has what was found on it."""
        request = pb.CheckJobsRequest(name=job_name(job) if job else "")
        while True:
            check = self._stub.CheckJobs
            page = await self._caller.call("CheckJobs", check, request, safe=True, wait=CHECK_SECONDS)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def quota(self, connection: str = "") -> pb.Quota:
        """Return how the shared upstream quota of a connection stands."""
        request = pb.GetQuotaRequest(connection=connection)
        return await self._caller.call("GetQuota", self._stub.GetQuota, request, safe=True)
