"""Make one call: with its deadline and token, tried again where that is safe, failing with HeadgateError.

A call is tried again after UNAVAILABLE, and after a CANCELLED that did not come from here, if the caller says
that the call is safe to repeat: reads are, and writes that carry a request_id or that change nothing when
done twice.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc

from headgate_client.rpc.errors import HeadgateError
from headgate_client.rpc.options import ClientOptions

Request = TypeVar("Request", contravariant=True)
Reply = TypeVar("Reply", covariant=True)
Message = TypeVar("Message", covariant=True)

Metadata = tuple[tuple[str, str], ...]


class Unary(Protocol[Request, Reply]):
    """A unary method of a stub."""

    def __call__(self, request: Request, /, *, timeout: float | None, metadata: Metadata) -> Awaitable[Reply]:
        """Begin the call; awaiting it gives the reply."""


@dataclass(frozen=True, slots=True)
class UnaryCaller:
    """Makes calls the way `options` say.

    `sleep`, `clock` (seconds) and `jitter` (a number of [0, 1)) are there to be replaced in tests.
    """

    options: ClientOptions
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    async def call(
        self, method: str, unary: Unary[Request, Reply], request: Request, *, safe: bool, wait: float = 0.0
    ) -> Reply:
        """Call `unary` and return its reply.

        `safe` says that the call may be repeated; `wait` are seconds that the server was asked to hold it,
        added to the deadline. Raises HeadgateError with the last failure.
        """
        began, failures = self.clock(), 0
        while True:
            try:
                return await self._once(method, unary, request, wait)
            except HeadgateError as error:
                failures += 1
                delay = self._delay(error, failures, self.clock() - began) if safe else None
                if delay is None:
                    raise
            await self.sleep(delay)

    async def _once(self, method: str, unary: Unary[Request, Reply], request: Request, wait: float) -> Reply:
        timeout = self.options.timeout + wait
        try:
            return await unary(request, timeout=timeout, metadata=self.options.metadata())
        except grpc.aio.AioRpcError as error:
            raise HeadgateError.from_rpc(error, method=method) from error

    def _delay(self, error: HeadgateError, failures: int, elapsed: float) -> float | None:
        policy = self.options.retry
        delay = policy.delay(failures, self.jitter(), at_least=error.retry_after or 0.0)
        return delay if error.is_retryable and policy.allows(failures, elapsed, delay) else None
