"""The plan of a backfill of any size: read from a stream that tells how far its look-up of the dates is."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from headgate import pb
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.stream import Stream, open_stream
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.watch.reconnecting import Reconnecting

if TYPE_CHECKING:  # the generated code has it only for type checkers
    from headgate.v1.backfill_service_pb2_grpc import BackfillServiceAsyncStub

OnPlanProgress = Callable[[pb.PlanProgress], None]
"""Told how far the look-up of the dates is."""


class PlanStreamReader:
    """Reads plans. A stream that is lost is opened again, and goes on with the dates that were looked up."""

    def __init__(self, stub: "BackfillServiceAsyncStub", caller: UnaryCaller) -> None:
        self._stub = stub
        self._caller = caller

    async def read(
        self, request: pb.PlanLargeBackfillRequest, watch: WatchOptions, on_progress: OnPlanProgress | None
    ) -> pb.BackfillPlan:
        """Return the plan.

        Raises HeadgateError when asking again would not help, or the patience of the options is over.
        """
        reconnecting = Reconnecting(self._caller, watch, None)
        return await reconnecting.until_read(lambda: self._once(request, watch, on_progress, reconnecting))

    async def _once(
        self,
        request: pb.PlanLargeBackfillRequest,
        watch: WatchOptions,
        on_progress: OnPlanProgress | None,
        reconnecting: Reconnecting,
    ) -> pb.BackfillPlan | None:
        options, silence = self._caller.options, watch.longest_silence
        stream: Stream[pb.PlanLargeBackfillResponse] = open_stream(
            "PlanLargeBackfill", self._stub.PlanLargeBackfill, request, options, silence
        )
        try:
            while (message := await stream.read()) is not None:
                if message.HasField("plan"):
                    return message.plan
                reconnecting.alive()
                if on_progress is not None:
                    on_progress(message.progress)
        finally:
            stream.close()
        return None
