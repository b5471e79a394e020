"""Follow many things in one iterator: instances, or the feed of all jobs; a lost stream is opened again.

Weaker than watching one job: what happened between two streams shows in the present row (instances), or
follows from the resume token on (jobs), and after an expired token in fresh snapshots.
"""

from typing import Protocol, TypeVar

import grpc

from headgate import pb
from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.stream import SilentStream, Stream
from headgate_client.watch.outliving_iterator import OutlivingIterator
from headgate_client.watch.reconnecting import Reconnecting

_FINAL = (pb.STREAM_END_REASON_JOB_TERMINAL, pb.STREAM_END_REASON_JOB_DELETED)


class Ending(Protocol):
    """A message that may be the last of its stream: it has a reason in `end` then."""

    @property
    def end(self) -> pb.StreamEnd:
        """The announced end; without a reason if the message is none."""


Message = TypeVar("Message", bound=Ending)
MessageOf = TypeVar("MessageOf", bound=Ending)


class FollowingSource(Protocol[MessageOf]):
    """Opens the streams and knows what was yielded before."""

    def open(self) -> Stream[MessageOf]:
        """Open the next stream; a failure shows at the first read."""

    def is_news(self, message: MessageOf, /) -> bool:
        """Take note of a message, and return whether it has anything new."""

    def forget(self) -> None:
        """Begin anew: the place where the last stream ended is gone."""


class Following(OutlivingIterator[Message, Message]):
    """What happens to many things, message by message, until they have ended or the iterator is closed."""

    def __init__(self, source: FollowingSource[Message], reconnecting: Reconnecting) -> None:
        super().__init__(reconnecting)
        self._source = source

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

    def _opened(self) -> Stream[Message]:
        return self._source.open()

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
