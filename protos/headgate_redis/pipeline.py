"""Many callers, one connection: commands that wait are sent together and answered in order.

With many callers in flight each call costs 25 % of a round trip of its own. Each call is a group of commands that stay
together, so a MULTI is one call. A pipe never repeats anything: its caller knows whether that is safe.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import hiredis
from redis import exceptions as redis_errors
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from headgate_redis.connection import RedisConnection, connect
from headgate_redis.cpu_load import CpuLoad

_log = logging.getLogger(__name__)

Command = tuple[str | bytes | int | float, ...]

NOT_REACHED: Final = (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError, TimeoutError)
"""Without an answer: whether the command was executed is not known."""

MAX_GROUP: Final = 128
"""Most calls that are sent together; bounds the time that the first of them waits for the last."""

GATHER: Final = 32
"""Calls that are not kept waiting for more."""

MAX_WAITING: Final = 20_000
"""Most calls that wait. More are refused: a queue that only grows delays all calls."""

IDLE_SECONDS: Final = 1.0
"""A connection that was idle for longer is given the time to say that it is gone before it is used."""


class ReplyLost(redis_errors.ConnectionError):
    """The commands were sent, or may have been, and no answer came."""


class PipelineFull(redis_errors.RedisError):
    """Too many calls wait already; nothing was sent."""


def is_demoted(error: Exception) -> bool:
    """Whether this Redis has become a replica: connections to it are of no use any more."""
    return isinstance(error, redis_errors.ReadOnlyError) or "READONLY" in str(error)


@dataclass(slots=True)
class _Call:
    packed: bytes
    left: int
    answer: asyncio.Future[Any]
    reply: Any = None
    due: float = 0.0
    """Of the last call of a group: when the group is lost, by the loop's clock; 0 of the others."""


class Pipeline:
    """One connection that many callers share. `run` connects it and must be running.

    A call goes out where it is made, and its answer is set where the reply arrives: no task stands between.

    Args:
        connection: makes an unconnected connection without a socket timeout of its own.
        timeout: longest time, in seconds, that one group may take, and that connecting may.
        gather: how long, in seconds, calls are kept waiting for more while the process has no CPU to spare.
        depth: how many groups may be under way at once, from 1: with 2, the next one is sent while Redis works on one.
        on_group: called with the number of calls that went out together.
    """

    def __init__(
        self,
        connection: Callable[[], AbstractConnection],
        *,
        timeout: float,
        gather: float = 0.0,
        depth: int = 1,
        on_group: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._connection = connection()
        self._timeout = timeout
        self._longest = gather
        self._depth = depth
        self._on_group = on_group
        self._waiting: deque[_Call] = deque()
        self._under_way: deque[_Call] = deque()
        self._groups = 0
        self._link: RedisConnection | None = None
        self._wakeup = asyncio.Event()
        self._turn: asyncio.Handle | None = None
        self._clock: asyncio.Handle | None = None
        self._used = 0.0
        self._together = 0
        self._load = CpuLoad()
        self._found_loop: asyncio.AbstractEventLoop | None = None

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """The event loop. Asking for the one that runs makes a system call in Python 3.11."""
        if self._found_loop is None:
            self._found_loop = asyncio.get_running_loop()
        return self._found_loop

    async def call(self, *commands: Command) -> Any:
        """Send the commands together and give the reply of the last one.

        Raises:
            ReplyLost: no answer came; whether the commands were executed is not known.
            ResponseError: Redis refused one of them; the first refusal is raised.
            PipelineFull: too many calls wait already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise PipelineFull("too many calls wait for the store")
        packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]  # its stub asks for a tuple of one
        call = _Call(packed, len(commands), self._loop.create_future())
        self._waiting.append(call)
        self._offer()
        return await call.answer

    async def run(self) -> None:
        """Connect whenever calls wait for it, until cancelled; then every call ends with ReplyLost."""
        try:
            while True:
                await self._wakeup.wait()
                self._wakeup.clear()
                if self._link is None and self._waiting:
                    await self._connect()
        finally:
            self._leave()
            _give_up(self._waiting)
            await self._connection.disconnect(nowait=True)

    async def _connect(self) -> None:
        """Connect and send what waits; where no connection can be had, the waiting calls end with that error."""
        began = self._loop.time()
        try:
            async with asyncio.timeout(self._timeout):
                self._link = await connect(self._connection, self._on_reply, self._on_lost)
        except NOT_REACHED:
            _give_up(self._waiting)
        except Exception:
            _log.exception("a pipe to the store broke")
            _give_up(self._waiting)
        else:
            self._send(began)

    def _offer(self) -> None:
        """Send what waits: at once, or in a moment with others. While enough groups are under way, nothing is sent."""
        if self._groups >= self._depth or self._turn is not None:
            return
        if self._link is None:
            self._wakeup.set()
            return
        loop = self._loop
        if loop.time() - self._used >= IDLE_SECONDS:
            # Two turns of the loop, between which it hears of a connection that has died while idle.
            self._turn = loop.call_soon(self._turn_again)
        elif held := self._held():
            self._turn = loop.call_later(held, self._send)
        elif self._alone():
            self._send()
        else:
            self._turn = loop.call_soon(self._send)

    def _held(self) -> float:
        """For how many seconds calls are kept for more, where that costs nothing.

        What has come in one turn of the loop, or while others were under way, goes together anyhow. A server that has
        no CPU to spare gains by waiting longer: a round trip each costs more than all else of a call, callers that are
        answered together come back together, and they wait for CPU and not for Redis. With CPU to spare, or one caller
        only, they would just be late; whether there are others shows in what comes while one call waits.
        """
        if not self._longest or len(self._waiting) >= GATHER:
            return 0.0
        anew = self._load.look()
        return self._longest if self._load.high and (not self._alone() or anew) else 0.0

    def _alone(self) -> bool:
        """Whether one call comes after the other, so that there are no others to wait for."""
        return not self._under_way and len(self._waiting) <= 1 and self._together <= 1

    def _turn_again(self) -> None:
        self._turn = self._loop.call_soon(self._send)

    def _send(self, began: float | None = None) -> None:
        """Send a group; its time counts from `began`, by the loop's clock."""
        self._turn = None
        if self._link is None:
            self._wakeup.set()
            return
        group = [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]
        self._together = len(group)
        self._on_group(len(group))
        self._watch(group, began)
        self._link.send(group[0].packed if len(group) == 1 else b"".join([call.packed for call in group]))

    def _watch(self, group: list[_Call], began: float | None) -> None:
        """See to it that a group is lost when its time is over. One timer serves many groups."""
        loop = self._loop
        self._used = loop.time()
        due = group[-1].due = (self._used if began is None else began) + self._timeout
        self._under_way.extend(group)
        self._groups += 1
        if self._clock is None:
            self._clock = loop.call_at(due, self._strike)

    def _strike(self) -> None:
        self._clock = None
        due = next((call.due for call in self._under_way if call.due), None)
        if due is None:
            return
        loop = self._loop
        if loop.time() >= due:
            self._lose()
        else:
            self._clock = loop.call_at(due, self._strike)

    def _on_reply(self, reply: Any) -> None:
        if not self._under_way or (isinstance(reply, Exception) and _ends(reply)):
            self._lose()
            return
        call = self._under_way[0]
        if not isinstance(call.reply, ResponseError):  # the first refusal says why; EXEC only says that there was one
            call.reply = reply
        call.left -= 1
        if call.left == 0:
            _give(self._under_way.popleft(), call.reply)
            if call.due:
                self._groups -= 1
                if self._waiting:
                    self._offer()

    def _on_lost(self, link: RedisConnection) -> None:
        if link is self._link:
            self._lose()

    def _lose(self) -> None:
        """End calls whose group is under way as lost, and connect anew for those that wait."""
        self._leave()
        if self._waiting:
            self._wakeup.set()

    def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
        for handle in (self._turn, self._clock):
            if handle is not None:
                handle.cancel()
        self._turn = self._clock = None
        self._groups = 0
        _give_up(self._under_way)


def _give_up(calls: deque[_Call]) -> None:
    while calls:
        _give(calls.popleft(), ReplyLost("no reply"))


def _ends(error: Exception) -> bool:
    """Whether a reply says that this connection is of no use any more."""
    return not isinstance(error, ResponseError) or is_demoted(error)


def _give(call: _Call, reply: Any) -> None:
    if call.answer.done():  # its caller has gone
        return
    if isinstance(reply, Exception):
        call.answer.set_exception(reply)
    else:
        call.answer.set_result(reply)
