"""What the deployment is and may do."""

import grpc

from headgate import pb
from headgate.v1.admin_service_pb2_grpc import AdminServiceStub
from headgate_client.rpc.unary_caller import UnaryCaller


class Admin:
    """Facts about the deployment. Every method may raise HeadgateError."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller) -> None:
        self._stub = AdminServiceStub(channel)
        self._caller = caller

    async def server_info(self) -> pb.ServerInfo:
        """Tell the version, the limits, which features are on and which methods are not built."""
        request = pb.GetServerInfoRequest()
        return await self._caller.call("GetServerInfo", self._stub.GetServerInfo, request, safe=True)

    async def quota(self, connection: str = "") -> pb.Quota:
        """Tell how the shared upstream quota of a connection stands."""
        request = pb.GetQuotaRequest(connection=connection)
        return await self._caller.call("GetQuota", self._stub.GetQuota, request, safe=True)
