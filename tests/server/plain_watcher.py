"""A watcher that knows the ten rules in the comment of JobService.WatchJob, and nothing else of headgate."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from headgate import pb

BROKEN: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
OVER: Final = {pb.STREAM_END_REASON_JOB_TERMINAL, pb.STREAM_END_REASON_JOB_DELETED}


class ForAPerson(Exception):
    """Rule 6: coming back would not help."""


@dataclass
class Watcher:
    """Follows one job.

    Args:
        name: which.
        open_stream: opens a stream with a request and a token.
        pause: waits for seconds.
        renew: another token; empty where there is none.
    """

    name: str
    open_stream: Callable[[pb.WatchJobRequest, str], Any]
    pause: Callable[[float], Any]
    renew: Callable[[], str] = str
    start: int = 1
    incarnation: str = ""
    token: str = ""
    delay: float = 0.1
    events: list[pb.JobEvent] = field(default_factory=list)
    snapshots: int = 0

    async def follow(self) -> None:
        """Watch until the job is over."""
        while True:
            request = pb.WatchJobRequest(name=self.name, start_revision=self.start, incarnation=self.incarnation)
            try:
                if await self._read(self.open_stream(request, self.token)):
                    return
            except grpc.aio.AioRpcError as error:
                await self._come_back(error)

    async def _read(self, stream: Any) -> bool:
        async for message in stream:
            self.delay = 0.1
            if message.WhichOneof("payload") == "end":
                if message.end.reason in OVER:
                    return True
                await self.pause(message.end.reconnect_delay.ToNanoseconds() / 1e9)
                self._go_on_at(message.end.resume_revision)
                return False
            self._take(message)
        await self._wait(None)  # OK without a StreamEnd
        return False

    def _take(self, message: pb.WatchJobResponse) -> None:
        kind = message.WhichOneof("payload")
        if kind == "snapshot":
            self.snapshots += 1
            self.events.clear()
        elif kind == "event" and message.revision >= self.start:
            self.events.append(message.event)
        if kind == "snapshot" or message.revision >= self.start > 0:
            self.start, self.incarnation = message.revision + 1, message.incarnation

    def _go_on_at(self, revision: int) -> None:
        self.start = revision
        if not revision:
            self.incarnation = ""

    async def _come_back(self, error: grpc.aio.AioRpcError) -> None:
        code, told = error.code(), _details(error)
        if code is grpc.StatusCode.OUT_OF_RANGE:
            self._go_on_at(0)
        elif code is grpc.StatusCode.UNAUTHENTICATED:
            renewed = self.renew()
            if not renewed or renewed == self.token:
                raise ForAPerson from error
            self.token = renewed
        elif not (
            code in BROKEN
            or (code is grpc.StatusCode.INTERNAL and error_details_pb2.ErrorInfo.DESCRIPTOR.full_name not in told)
            or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and error_details_pb2.RetryInfo.DESCRIPTOR.full_name in told)
        ):
            raise ForAPerson from error
        await self._wait(told.get(error_details_pb2.RetryInfo.DESCRIPTOR.full_name))

    async def _wait(self, retry_info: bytes | None) -> None:
        if retry_info is not None:
            delay = error_details_pb2.RetryInfo.FromString(retry_info).retry_delay.ToNanoseconds() / 1e9
        else:
            delay, self.delay = self.delay, min(30.0, self.delay * 2)
        await self.pause(delay)


def _details(error: grpc.aio.AioRpcError) -> dict[str, bytes]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            raw = value if isinstance(value, bytes) else value.encode()
            return {packed.type_url.rpartition("/")[2]: packed.value for packed in Status.FromString(raw).details}
    return {}
