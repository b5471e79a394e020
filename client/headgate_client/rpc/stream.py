"""One server stream: opened, read with a bound on silence, closed. Knows nothing of what flows through it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, Protocol, TypeVar

import grpc

from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.options import ClientOptions
from headgate_client.rpc.unary_caller import Metadata

Reply = TypeVar("Reply")
Request = TypeVar("Request", contravariant=True)
ReplyOut = TypeVar("ReplyOut", covariant=True)


class StreamCall(Protocol[ReplyOut]):
    """A call that is under way."""

    def __aiter__(self) -> AsyncIterator[ReplyOut]:
        """Iterate over its messages."""

    def cancel(self) -> bool:
        """End it."""


class Streaming(Protocol[Request, ReplyOut]):
    """A server-streaming method of a stub."""

    def __call__(self, request: Request, /, *, metadata: Metadata) -> StreamCall[ReplyOut]:
        """Begin the call."""


class SilentStream(TimeoutError):
    """The stream was silent for longer than the server had promised."""


class TokenRenewed(SilentStream):
    """The stream ended since its token holds no more, and there is another one by now."""


class Stream(Generic[Reply]):
    """A server stream under way. Closing or losing it never affects the job."""

    def __init__(
        self,
        call: StreamCall[Reply],
        method: str,
        longest_silence: float,
        is_renewed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._call = call
        self._is_renewed = is_renewed
        self._messages = call.__aiter__()
        self._method = method
        self._longest_silence = longest_silence

    async def read(self) -> Reply | None:
        """Return the next message; None when the server ended the stream with OK.

        Raises HeadgateError for another end, SilentStream when nothing came for too long, and TokenRenewed when
        it helps to open it again with the present token. Cancelling the read closes the stream.
        """
        try:
            async with asyncio.timeout(self._longest_silence):
                return await anext(self._messages, None)
        except TimeoutError as error:
            raise SilentStream(f"nothing came for {self._longest_silence:g} s") from error
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED and self._is_renewed():
                raise TokenRenewed("the token was renewed") from error
            raise HeadgateError.from_rpc(error, method=self._method) from error

    def close(self) -> None:
        """Cancel the stream; does nothing when it has ended."""
        self._call.cancel()


def open_stream(
    method: str, streaming: Streaming[Request, Reply], request: Request, options: ClientOptions, silence: float
) -> Stream[Reply]:
    """Open a stream; a server that can't be reached shows at the first read."""
    metadata = options.metadata()
    return Stream(streaming(request, metadata=metadata), method, silence, lambda: options.metadata() != metadata)
