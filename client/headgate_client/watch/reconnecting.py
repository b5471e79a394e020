"""Wait between one stream and the next: longer from failure to failure, and not for ever."""

from collections.abc import Callable

import grpc

from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.unary_caller import UnaryCaller

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
