"""Calls whose headers are here and whose request is not: how many there may be, and for how long.

Calls are served on their headers, and each reads its request here. A request that takes its time costs memory that only
its sender decides on, so those calls have few slots, and an end. Requests of good callers come with their headers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import islice
from typing import Any, Final

import grpc

from headgate.reasons import Reason
from headgate_server.auth import denials
from headgate_server.auth.denials import Denial
from headgate_server.errors.exceptions import Refused
from headgate_server.rpc.slot_table import SlotBounds, SlotTable

_log = logging.getLogger(__name__)

PROMPT_SECONDS: Final = 1.0
"""How long a request may take without a slot."""

REQUEST_SECONDS: Final = 10.0
"""How long a request may take at all."""

SWEEP_SECONDS: Final = 0.05
"""How often is looked at how long requests have taken."""

SWEPT: Final = 50
"""Most calls that have become slow or overdue and are seen to at a time: ending many at once makes all others wait."""

MAX_PENDING: Final = 2_000
"""Most calls without a request at a time, prompt ones too; one more ends the oldest. Of ten thousand calls that come at
once, with their requests, a handful are here at a time."""

SLOW: Final = SlotBounds(total=256, per_connection=32)
"""Slots of requests that take longer than `PROMPT_SECONDS`. Each may cost as much as the largest request."""

_HANG_UP_SECONDS: Final = 0.02
"""How long a call that ends without a request is given to turn out as one whose client has gone."""


class PendingRequests:
    """The calls that wait for their request. `run` must be running.

    Args:
        slow: the slots of those that are slow.
        most: of all of them.
        seconds: how long a call may be among them; None takes `REQUEST_SECONDS`.
    """

    def __init__(self, slow: SlotBounds, most: int, seconds: float | None = None) -> None:
        self._most = most
        self._seconds = seconds
        self._began: dict[Any, float] = {}
        self._slow: SlotTable[Any] = SlotTable(slow)
        self._ends: asyncio.TaskGroup | None = None

    def __len__(self) -> int:
        return len(self._began)

    async def run(self) -> None:
        """End what is too slow, until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._ends:
                while True:
                    await asyncio.sleep(SWEEP_SECONDS)
                    self.sweep(time.monotonic())
        finally:
            self._ends = None

    async def receive(self, context: Any, *, whole: bool = False) -> bytes:
        """The one request of a call, as bytes.

        Args:
            context: the call, of a handler that grpc takes for one of streams of requests.
            whole: whether to wait until the client says that nothing follows, which costs another turn of the loop.

        Raises:
            Refused: there is no request, or more than one.
            grpc.aio.AbortError: it took too long, and the call was ended.
        """
        self.enter(context)
        try:
            raw = await context.read()
            if raw is grpc.aio.EOF:
                await asyncio.sleep(_HANG_UP_SECONDS)
                raise Refused(Reason.MESSAGE_MALFORMED, "the call brought no request")
            if whole and await context.read() is not grpc.aio.EOF:
                raise Refused(Reason.MESSAGE_MALFORMED, "the call brought more than one request")
        finally:
            self.leave(context)
        found: bytes = raw
        return found

    def enter(self, context: Any) -> None:
        """Count a call in, whose handler waits in `read` most of the time. It may be ended from now on."""
        self._began[context] = time.monotonic()
        if len(self._began) > self._most:
            self._end(next(iter(self._began)), denials.too_many_pending(self._most))

    def leave(self, context: Any) -> None:
        """Count a call out."""
        self._began.pop(context, None)
        if self._slow:
            self._slow.free(context)

    def sweep(self, now: float) -> None:
        """Give slots to the calls that have become slow, and end those that lose theirs or are overdue."""
        first = islice(self._began.items(), len(self._slow) + SWEPT)
        due = [(call, now - began) for call, began in first if now - began >= PROMPT_SECONDS]
        for call, age in due:
            if age >= (self._seconds or REQUEST_SECONDS):
                self._end(call, denials.overdue())
            elif call not in self._slow and (loser := self._slow.take(call, call.peer())) is not None:
                self._end(loser, denials.too_many_pending(self._slow.bounds.per_connection))

    def _end(self, context: Any, answer: Denial) -> None:
        self.leave(context)
        if self._ends is not None:
            self._ends.create_task(_abort(context, answer))


async def _abort(context: Any, answer: Denial) -> None:
    """End a call whose handler waits in `read`, which then raises.

    The handler's task itself can't be cancelled while it waits there: grpc's core would write into freed memory.
    """
    try:
        await context.abort(answer.code, answer.message, answer.details)
    except grpc.aio.AbortError:
        return
    except Exception as error:
        _log.debug("a call that was too slow had ended: %s", type(error).__name__)
