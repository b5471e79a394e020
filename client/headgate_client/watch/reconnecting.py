"""Wait between one stream and the next: longer from failure to failure, and not for ever."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.stream import SilentStream
from headgate_client.rpc.unary_caller import UnaryCaller

Answer = TypeVar("Answer")

OnReconnect = Callable[[str, float], None]
"""Called with why a stream is opened again, and in how many seconds."""


class Reconnecting:
    """Counts failures in a row and the time they have lasted."""

    def __init__(self, caller: UnaryCaller, options: WatchOptions, on_reconnect: OnReconnect | None) -> None:
        self._caller = caller
        self._options = options
        self._on_reconnect = on_reconnect
        self._failures = 0
        self._trouble_since: float | None = None

    def alive(self) -> None:
        """Take note of a sign of life."""
        self._failures = 0
        self._trouble_since = None

    async def until_read(self, read: Callable[[], Awaitable[Answer | None]]) -> Answer:
        """Return what `read` reads of a stream that it opens, which it does again where that stream is lost.

        `read` returns None where its stream ended without an answer. Raises HeadgateError when asking again
        would not help, or the patience of the options is over.
        """
        while True:
            try:
                answer = await read()
            except SilentStream as silence:
                await self.wait(str(silence), 0.0, silence)
            except HeadgateError as error:
                if not error.is_retryable:
                    raise
                await self.wait(error.code.name, error.retry_after or 0.0, error)
            else:
                if answer is not None:
                    return answer
                await self.wait("the stream ended without an answer", 0.0)

    async def wait(self, cause: str, at_least: float, error: Exception | None = None) -> None:
        """Wait until the next try, `at_least` that many seconds.

        Raises `error`, or an UNAVAILABLE HeadgateError if that is none, when there has been no sign of life
        for the patience of the options.
        """
        self._failures += 1
        self._check_patience(cause, error)
        delay = self._options.retry.delay(self._failures, self._caller.jitter(), at_least=at_least)
        if self._on_reconnect is not None:
            self._on_reconnect(cause, delay)
        await self._caller.sleep(delay)

    def _check_patience(self, cause: str, error: Exception | None) -> None:
        now = self._caller.clock()
        if self._trouble_since is None:
            self._trouble_since = now
        if now - self._trouble_since <= self._options.patience:
            return
        if isinstance(error, HeadgateError):
            raise error
        raise HeadgateError(grpc.StatusCode.UNAVAILABLE, message=f"the stream does not come back: {cause}") from error
