"""Keeping a job while its tick lasts: the lease of a long tick is renewed, and a tick that lost its job is cut off.

Most ticks end long before their lease does, and cost nothing here but a timer.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from headgate_worker.ticks.tick import Tick


class LeaseKeeper:
    """The life of one tick, as an async context manager around what it does.

    Args:
        tick: whose lease is renewed.
        seconds: after which it is renewed for the first time.

    Raises:
        LostJob: another tick has taken the job; also any other error of the renewal.
    """

    def __init__(self, tick: Tick, seconds: float) -> None:
        self._tick = tick
        self._seconds = seconds
        self._keeper: asyncio.Task[None] | None = None
        self._error: BaseException | None = None

    async def __aenter__(self) -> Self:
        body = asyncio.current_task()
        assert body is not None  # noqa: S101  # a coroutine runs in a task, told to the type checker
        self._body, self._cancelling = body, body.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._tick.over = True
        if self._keeper is None:
            return
        self._keeper.cancel()
        if self._error is None:
            await asyncio.wait((self._keeper,))
        elif self._body.uncancel() <= self._cancelling:  # else the tick was cancelled from elsewhere as well
            raise self._error from None

    def _begin(self) -> None:
        self._keeper = asyncio.get_running_loop().create_task(self._tick.keep(), name=f"keep {self._tick.job_id}")
        self._keeper.add_done_callback(self._ended)

    def _ended(self, keeper: asyncio.Task[None]) -> None:
        error = None if keeper.cancelled() else keeper.exception()
        if error is not None and not self._tick.over:
            self._error = error
            self._body.cancel()
