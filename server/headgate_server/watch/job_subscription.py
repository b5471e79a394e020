"""What the hub leaves with one watcher: a few hints at most, and marks that never get lost."""

from __future__ import annotations

import asyncio
from typing import Final

from headgate_server.watch.cursor import Hint

MAX_HINTS: Final = 64
"""Most hints kept for a watcher. With more to come they are thrown away, and it reads the log instead."""


class JobSubscription:
    """One watcher's end of the hub. Its size is bounded, however slow the watcher.

    `dirty` says that the log must be read; `deleted` and `draining` that the stream must end. Its owner awaits
    `waiter`; `place` is for the hub alone, and `round` for `TimerWheel`.
    """

    __slots__ = ("deleted", "dirty", "draining", "hints", "job_id", "place", "round", "sent", "waiter")

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.hints: list[Hint] = []  # an empty deque would add 10 % to an idle watcher's memory
        self.dirty = True
        self.deleted = False
        self.draining = False
        self.sent = 0
        self.place = 0
        self.round = 0
        self.waiter: asyncio.Future[None] | None = None

    def put(self, hint: Hint) -> None:
        """Leave a hint. After the deletion of the job they are those of another one that has its id."""
        if self.deleted:
            return
        if len(self.hints) < MAX_HINTS:
            self.hints.append(hint)
            self.wake()
        else:
            self.mark_dirty()

    def take(self) -> list[Hint]:
        """The hints at hand, oldest first; none is left."""
        hints, self.hints = self.hints, []
        return hints

    def mark_dirty(self) -> None:
        """Ask for a look into the log."""
        self.hints.clear()
        self.dirty = True
        self.wake()

    def compare(self, revision: int) -> None:
        """Ask for a look into the log if the job stands elsewhere than the watcher, and nothing is on its way."""
        if revision != self.sent and not self.hints:
            self.mark_dirty()

    def delete(self) -> None:
        """Say that the job was deleted."""
        self.deleted = True
        self.wake()

    def drain(self) -> None:
        """Say that the server is going away."""
        self.draining = True
        self.wake()

    def wake(self) -> None:
        """Wake the watcher if it waits."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def is_silent(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.hints or self.dirty or self.deleted or self.draining)

    async def wait(self, until: float) -> None:
        """Wait for something to do, or until the loop's clock says `until`, to the millisecond."""
        if not self.is_silent():
            return
        loop = asyncio.get_running_loop()
        timer, self.waiter = loop.call_at(until, self.wake), loop.create_future()
        try:
            await self.waiter
        finally:
            timer.cancel()
