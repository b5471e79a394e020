"""Many callers, one connection: commands that wait are sent together and answered in order.

With many callers in flight this costs a quarter of one round trip each. Each call is a group of commands that stay
together, so a MULTI is one call. A pipe never repeats anything: whoever called knows whether that is safe.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from headgate.reasons import Reason
from headgate_server.errors import Refused, StoreUnavailable
from headgate_server.redis_errors import NOT_REACHED, is_demoted

_log = logging.getLogger(__name__)

Command = tuple[str | bytes | int, ...]

MAX_GROUP: Final = 128
"""Most calls that are sent together; bounds the time that the first of them waits for the last."""

GATHER: Final = 32
"""Calls that are not kept waiting for more."""

MAX_WAITING: Final = 20_000
"""Most calls that wait. More are refused: a queue that only grows helps nobody."""


class ReplyLost(StoreUnavailable):
    """The commands were sent, or may have been, and no answer came."""


@dataclass(slots=True)
class _Call:
    packed: bytes
    replies: int
    answer: asyncio.Future[Any]


class Pipe:
    """One connection that many callers share. `run` owns it and must be running.

    Args:
        connection: makes an unconnected connection without a socket timeout of its own.
        timeout: longest time, in seconds, that one group may take.
        on_group: told how many calls went out together.
    """

    def __init__(
        self,
        connection: Callable[[], AbstractConnection],
        *,
        timeout: float,
        on_group: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._connection = connection()
        self._timeout = timeout
        self._on_group = on_group
        self._waiting: deque[_Call] = deque()
        self._bell = asyncio.Event()

    async def call(self, *commands: Command) -> Any:
        """Send the commands together and give the reply of the last one.

        Raises:
            ReplyLost: no answer came; whether the commands were executed is not known.
            ResponseError: Redis refused one of them; the first refusal is told.
            Refused: too many calls wait already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Refused(Reason.CALLER_LIMIT, "too many calls wait for the store", retry_seconds=1)
        packed = b"".join(hiredis.pack_command(command) for command in commands)  # type: ignore[arg-type]  # its stub asks for a tuple of one
        call = _Call(packed, len(commands), asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._bell.set()
        return await call.answer

    async def run(self) -> None:
        """Serve calls until cancelled; then every call that waits is told that its reply is lost."""
        group: list[_Call] = []
        try:
            while True:
                await self._bell.wait()
                await self._gather()
                group = [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]
                if not self._waiting:
                    self._bell.clear()
                await self._exchange(group)
        finally:
            _give_up([*group, *self._waiting])
            await self._connection.disconnect(nowait=True)

    async def _gather(self) -> None:
        # A round trip each would cost more than all else of a call. While the loop is busy with more callers, waiting
        # for them costs no time; as soon as a turn of it brings no call, what is there goes out.
        seen = 0
        while seen < len(self._waiting) < GATHER:
            seen = len(self._waiting)
            await asyncio.sleep(0)

    async def _exchange(self, group: list[_Call]) -> None:
        self._on_group(len(group))
        try:
            async with asyncio.timeout(self._timeout):
                packed = b"".join(call.packed for call in group)
                await self._connection.send_packed_command(packed, check_health=False)
                for call in group:
                    await self._receive(call)
        except NOT_REACHED:
            await self._lose(group)
        except Exception:
            _log.exception("a pipe to the store broke")
            await self._lose(group)

    async def _lose(self, group: list[_Call]) -> None:
        _give_up(group)
        await self._connection.disconnect(nowait=True)

    async def _receive(self, call: _Call) -> None:
        reply: Any = None
        refusal: ResponseError | None = None
        for _ in range(call.replies):
            try:
                reply = await self._connection.read_response(disable_decoding=True)
            except ResponseError as error:
                refusal = refusal or error  # the first says why; an EXEC after it only says that there was one
        if refusal is not None and is_demoted(refusal):
            raise ConnectionResetError("demoted") from refusal
        _give(call, refusal or reply)


def _give(call: _Call, reply: Any) -> None:
    if call.answer.done():  # its caller has gone
        return
    if isinstance(reply, Exception):
        call.answer.set_exception(reply)
    else:
        call.answer.set_result(reply)


def _give_up(calls: Sequence[_Call]) -> None:
    for call in calls:
        _give(call, ReplyLost("no reply"))
