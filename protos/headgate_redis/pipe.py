"""Many callers, one connection: commands that wait are sent together and answered in order.

With many callers in flight this costs a quarter of one round trip each. Each call is a group of commands that stay
together, so a MULTI is one call. A pipe never repeats anything: whoever called knows whether that is safe.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import hiredis
from redis import exceptions as redis_errors
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

_log = logging.getLogger(__name__)

Command = tuple[str | bytes | int | float, ...]

NOT_REACHED: Final = (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError, TimeoutError)
"""Without an answer: whether the command was executed is not known."""

MAX_GROUP: Final = 128
"""Most calls that are sent together; bounds the time that the first of them waits for the last."""

GATHER: Final = 32
"""Calls that are not kept waiting for more."""

MAX_WAITING: Final = 20_000
"""Most calls that wait. More are refused: a queue that only grows helps nobody."""


LOOK_SECONDS: Final = 0.1
"""How old the word on the process's load may be. In less than that one piece of work would look like a load."""

HIGH: Final = 0.7
"""Share of a core from which on a process counts as having none to spare."""

IDLE_SECONDS: Final = 1.0
"""A connection that was idle for longer is asked whether it still stands before it is used."""


class ReplyLost(redis_errors.ConnectionError):
    """The commands were sent, or may have been, and no answer came."""


class PipeFull(redis_errors.RedisError):
    """Too many calls wait already; nothing was sent."""


def is_demoted(error: Exception) -> bool:
    """Whether this Redis has become a replica: connections to it are of no use any more."""
    return isinstance(error, redis_errors.ReadOnlyError) or "READONLY" in str(error)


@dataclass(slots=True)
class _Call:
    packed: bytes
    replies: int
    answer: asyncio.Future[Any]


class Load:
    """How busy this process is: its CPU time by the clock, looked at now and then.

    Args:
        cpu: seconds of CPU that the process has taken.
        clock: seconds that have passed.
    """

    def __init__(
        self, cpu: Callable[[], float] = time.process_time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cpu = cpu
        self._clock = clock
        self._at, self._spent = clock(), cpu()
        self.high = False

    def look(self) -> bool:
        """Whether it was time to look at it anew, which sets `high`: whether it took nearly all of a core since."""
        passed = (now := self._clock()) - self._at
        if passed < LOOK_SECONDS:
            return False
        spent = self._cpu()
        self.high = spent - self._spent > HIGH * passed
        self._at, self._spent = now, spent
        return True


class Pipe:
    """One connection that many callers share. `run` owns it and must be running.

    Args:
        connection: makes an unconnected connection without a socket timeout of its own.
        timeout: longest time, in seconds, that one group may take.
        gather: how long, in seconds, calls are kept waiting for more while the process has no CPU to spare.
        on_group: told how many calls went out together.
    """

    def __init__(
        self,
        connection: Callable[[], AbstractConnection],
        *,
        timeout: float,
        gather: float = 0.0,
        on_group: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._connection = connection()
        self._timeout = timeout
        self._longest = gather
        self._on_group = on_group
        self._waiting: deque[_Call] = deque()
        self._bell = asyncio.Event()
        self._used = 0.0
        self._together = 0
        self._load = Load()

    async def call(self, *commands: Command) -> Any:
        """Send the commands together and give the reply of the last one.

        Raises:
            ReplyLost: no answer came; whether the commands were executed is not known.
            ResponseError: Redis refused one of them; the first refusal is told.
            PipeFull: too many calls wait already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise PipeFull("too many calls wait for the store")
        packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]  # its stub asks for a tuple of one
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
        """Wait for more calls where that costs nothing.

        What has come in one turn of the loop, or while others were under way, goes together anyhow. A server that has
        no CPU to spare gains by waiting longer: a round trip each costs more than all else of a call, callers that are
        answered together come back together, and they wait for CPU and not for Redis. With CPU to spare, or one caller
        only, they would just be late; whether there are others shows in what comes while one call waits.
        """
        if not self._longest or len(self._waiting) >= GATHER:
            return
        anew = self._load.look()
        several = max(len(self._waiting), self._together) > 1
        if self._load.high and (several or anew):
            await asyncio.sleep(self._longest)

    async def _exchange(self, group: list[_Call]) -> None:
        self._together = len(group)
        self._on_group(len(group))
        try:
            async with asyncio.timeout(self._timeout):
                await self._leave_dead()
                packed = b"".join(call.packed for call in group)
                await self._connection.send_packed_command(packed, check_health=False)
                for call in group:
                    await self._receive(call)
        except NOT_REACHED:
            await self._lose(group)
        except Exception:
            _log.exception("a pipe to the store broke")
            await self._lose(group)

    async def _leave_dead(self) -> None:
        """Drop a connection that has died while nobody used it: the group can do without that loss."""
        now, used = asyncio.get_running_loop().time(), self._used
        self._used = now
        if not self._connection.is_connected or now - used < IDLE_SECONDS:
            return
        try:
            dead = await self._connection.can_read_destructive()  # type: ignore[no-untyped-call]
        except NOT_REACHED:
            dead = True
        if dead:
            await self._connection.disconnect(nowait=True)

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
