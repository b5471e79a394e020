"""The report of a backfill: read from a stream with the progress of its verification."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from headgate import pb
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.stream import Stream, open_stream
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.watch.reconnecting import Reconnecting

if TYPE_CHECKING:  # the generated code has it only for type checkers
    from headgate.v1.job_service_pb2_grpc import JobServiceAsyncStub

OnProgress = Callable[[pb.ReportProgress], None]
"""Called with how far a verification has come."""


class ReportReader:
    """Reads reports. A stream that is lost is opened again, and its verification begins anew."""

    def __init__(self, stub: "JobServiceAsyncStub", caller: UnaryCaller) -> None:
        self._stub = stub
        self._caller = caller

    async def read(
        self,
        request: pb.GetJobReportRequest,
        watch: WatchOptions,
        on_progress: OnProgress | None,
        seconds: float | None,
    ) -> pb.JobReport:
        """Return the report; `seconds` bounds the verification, and None leaves that to the server.

        Raises HeadgateError when asking again would not help, or the patience of the options is over.
        """
        reconnecting = Reconnecting(self._caller, watch, None)
        return await reconnecting.until_read(lambda: self._once(request, watch, on_progress, seconds, reconnecting))

    async def _once(
        self,
        request: pb.GetJobReportRequest,
        watch: WatchOptions,
        on_progress: OnProgress | None,
        seconds: float | None,
        reconnecting: Reconnecting,
    ) -> pb.JobReport | None:
        ask = partial(self._stub.GetJobReport, timeout=seconds)
        options, silence = self._caller.options, watch.longest_silence
        stream: Stream[pb.GetJobReportResponse] = open_stream("GetJobReport", ask, request, options, silence)
        report = pb.JobReport()
        try:
            while (message := await stream.read()) is not None:
                reconnecting.alive()
                report.MergeFrom(message.report)
                if message.HasField("progress") and on_progress is not None:
                    on_progress(message.progress)
        finally:
            stream.close()
        return report if report.name else None
