"""Follow many things in one iterator: instances, or the feed of all jobs; a lost stream is opened again.

Weaker than watching one job: what happened between two streams is told as the present row (instances), or
from the resume token on (jobs), and after an expired token as fresh snapshots.
"""

import asyncio
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import grpc

from headgate import pb
from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.stream import SilentStream, Stream
from headgate_client.watch.reconnecting import Reconnecting

_FINAL = (pb.STREAM_END_REASON_JOB_TERMINAL, pb.STREAM_END_REASON_JOB_DELETED)


class Ending(Protocol):
    """A message that may be the last of its stream, told by a reason in `end`."""

    @property
    def end(self) -> pb.StreamEnd:
        """The announced end; without a reason if the message is none."""


Message = TypeVar("Message", bound=Ending)
MessageOf = TypeVar("MessageOf", bound=Ending)


class FollowingSource(Protocol[MessageOf]):
    """Opens the streams and knows what was told before."""

    def open(self) -> Stream[MessageOf]:
        """Open the next stream; a failure shows at the first read."""

    def is_news(self, message: MessageOf, /) -> bool:
        """Take note of a message, and tell whether it says anything new."""

    def forget(self) -> None:
        """Begin anew: the place where the last stream ended is gone."""


class Following(Generic[Message]):
    """What happens to many things, message by message, until they have ended or the iterator is closed.

    Not to be shared between tasks. Closing affects nothing but the stream.
    """

    def __init__(self, source: FollowingSource[Message], reconnecting: Reconnecting) -> None:
        self._source = source
        self._reconnecting = reconnecting
        self._stream: Stream[Message] | None = None
        self._finished = False

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._finished = True
        self._drop_stream()

    async def __anext__(self) -> Message:
        """Return the next message; announced ends and repeats are left out.

        Raises HeadgateError when coming back would not help, or when there was no sign of life for the
        patience of the options.
        """
        while not self._finished:
            message = await self._next()
            if message is not None:
                return message
        raise StopAsyncIteration

    async def _next(self) -> Message | None:
        try:
            message = await self._read()
        except SilentStream as silence:
            await self._come_back(str(silence), 0.0, silence)
            return None
        except HeadgateError as error:
            await self._after(error)
            return None
        if message is not None and not message.end.reason:
            self._reconnecting.alive()
            return message if self._source.is_news(message) else None
        await self._after_end(message)
        return None

    async def _read(self) -> Message | None:
        if self._stream is None:
            self._stream = self._source.open()
        try:
            return await self._stream.read()
        except asyncio.CancelledError:
            self._drop_stream()  # the cancelled read has closed it; whoever reads on gets a new one
            raise

    async def _after(self, error: HeadgateError) -> None:
        if error.code is grpc.StatusCode.OUT_OF_RANGE:
            self._source.forget()
        elif not error.is_retryable and error.retry_after is None:
            self.close()
            raise error
        await self._come_back(f"{error.code.name} {error.reason}".strip(), error.retry_after or 0.0, error)

    async def _after_end(self, last: Message | None) -> None:
        if last is None:
            return await self._come_back("the stream ended without saying why", 0.0, None)
        if last.end.reason in _FINAL:
            return self.close()
        if last.end.reason == pb.STREAM_END_REASON_HISTORY_LOST:
            self._source.forget()
        delay = last.end.reconnect_delay.ToNanoseconds() / 1e9
        return await self._come_back("announced by the server", delay, None)

    async def _come_back(self, cause: str, delay: float, error: Exception | None) -> None:
        self._drop_stream()
        await self._reconnecting.wait(cause, delay, error)

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
