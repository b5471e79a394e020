"""What the hub leaves with a watcher of all jobs: the newest entries of the feed, within bounds, and marks."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from headgate.messages.feed_entries import FeedEntry

MAX_ENTRIES: Final = 1_000
"""Most entries kept for a watcher. With more to come they are thrown away, and it reads the feed instead."""

MAX_BYTES: Final = 1024 * 1024
"""Most bytes of events kept for a watcher."""


class FeedSubscription:
    """A watcher's end of the hub. Its size is bounded, however slow the watcher.

    `dirty` says that the feed must be read; `draining` that the stream must end.
    """

    __slots__ = ("_bytes", "_entries", "_woken", "dirty", "draining")

    def __init__(self) -> None:
        self._entries: deque[FeedEntry] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()
        self.dirty = True
        self.draining = False

    def put(self, entry: FeedEntry) -> None:
        """Leave an entry."""
        if self.dirty:
            return
        self._bytes += len(entry.event)
        if len(self._entries) >= MAX_ENTRIES or self._bytes > MAX_BYTES:
            self.mark_dirty()
        else:
            self._entries.append(entry)
            self._woken.set()

    def mark_dirty(self) -> None:
        """Ask for a look into the feed."""
        self._clear()
        self.dirty = True
        self._woken.set()

    def drain(self) -> None:
        """Say that the server is going away."""
        self.draining = True
        self._woken.set()

    def begin_look(self) -> None:
        """Say that the feed is about to be read: what was left before is in it."""
        self._clear()
        self.dirty = False

    def take(self, most: int) -> list[FeedEntry]:
        """The oldest entries that are left here."""
        taken = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
        self._bytes -= sum(len(entry.event) for entry in taken)
        return taken

    async def wait(self, until: float) -> None:
        """Wait for something to do, or until the loop's clock says `until`."""
        if self._entries or self.dirty or self.draining:
            return
        self._woken.clear()
        timer = asyncio.get_running_loop().call_at(until, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()

    def _clear(self) -> None:
        self._entries.clear()
        self._bytes = 0
