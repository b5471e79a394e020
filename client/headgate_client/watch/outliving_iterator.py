"""The shell of an iterator that outlives its streams: one is open at a time, and reads go on with the next one."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Generic, Self, TypeVar

from headgate_client.rpc.stream import Stream
from headgate_client.watch.reconnecting import Reconnecting

Message = TypeVar("Message")
Item = TypeVar("Item")


class OutlivingIterator(ABC, Generic[Message, Item]):
    """Items made of the messages of one stream after the other. Not to be shared between tasks."""

    def __init__(self, reconnecting: Reconnecting) -> None:
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
        """End the iterator and its stream; nothing that is followed is affected."""
        self._finished = True
        self._drop_stream()

    async def __anext__(self) -> Item:
        """Return the next item; repeats and announced ends are left out.

        Raises HeadgateError when coming back would not help (such as NOT_FOUND), or when there was no sign of
        life for the patience of the options.
        """
        while not self._finished:
            item = await self._next()
            if item is not None:
                return item
        raise StopAsyncIteration

    @abstractmethod
    async def _next(self) -> Item | None:
        """Read one message and act on it; None where it is no item."""

    @abstractmethod
    def _opened(self) -> Stream[Message]:
        """Open the next stream; a failure shows at the first read."""

    async def _read(self) -> Message | None:
        if self._stream is None:
            self._stream = self._opened()
        try:
            return await self._stream.read()
        except asyncio.CancelledError:
            self._drop_stream()  # the cancelled read has closed it; a later read opens a new one
            raise

    async def _come_back(self, cause: str, delay: float, error: Exception | None) -> None:
        self._drop_stream()
        await self._reconnecting.wait(cause, delay, error)

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
