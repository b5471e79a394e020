"""One watched instance, and one stream's view of several: what is to be sent, without a queue.

What a stream has sent is kept as numbers, so that a slow one skips to the present row and costs no memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from google.rpc.status_pb2 import Status

from headgate_server.errors.exceptions import Relayed
from headgate_server.ports.instance_kinds import InstanceKind, Row, differ

_UNSENT: Final = (0, 0)


class Watched:
    """A watched instance.

    `due` is when it is looked at next, by the loop's clock; `is_read` whether a read of it is under way, and `failures`
    how many have failed in a row. An end is believed when it was seen at `wanted_ms` or later. `next_ms` is when it is
    read next, 0 when that is not known. Times in ms are the store's.
    """

    def __init__(self, kind: InstanceKind, id_: int | str) -> None:
        self.viewers: set[Viewer] = set()
        self.due = 0.0
        self.is_read = False
        self.failures = 0
        self.wanted_ms = 0
        self.seen_ms = 0
        self.next_ms = 0
        self.error: Status | None = None
        self._kind = kind
        self._id = id_
        self._row: Row | None = None
        self._shown = b""
        self._missing: Status | None = None
        self._numbers = _UNSENT

    @property
    def has_ended(self) -> bool:
        """Whether it was seen ended, and lately enough to believe that."""
        return self._row is not None and self._kind.has_ended(self._row) and self.seen_ms >= self.wanted_ms

    @property
    def is_known(self) -> bool:
        """Whether a row or an error of it is there to be sent."""
        return self._numbers != _UNSENT

    def take(self, row: Row, raw: bytes) -> None:
        """Take a row that was read; one older than the present one is dropped."""
        if row.observe_time.ToMilliseconds() < self.seen_ms:
            return
        self.seen_ms = row.observe_time.ToMilliseconds()
        changed = self._row is None or differ(self._row, row)
        if changed or self._missing is not None:
            self._shown = self._kind.shown(raw)
            self._numbers = (self._numbers[0] + 1, self._numbers[1])
        elif not self.has_ended:
            self._row = row
            return
        self._row, self._missing = row, None
        self.wake_viewers()

    def lack(self, why: Status) -> None:
        """Take that it can't be read at the moment."""
        if self._missing is None or self._missing.SerializeToString() != why.SerializeToString():
            self._numbers = (self._numbers[0], self._numbers[1] + 1)
        self._missing = why
        self.wake_viewers()

    def fail(self, why: Status) -> None:
        """Take that it can't be read at all; every stream that watches it ends with that.

        Not the exception: its traceback would hold this instance and every stream that ended by it, in cycles.
        """
        self.error = why
        self.wake_viewers()

    def wake_viewers(self) -> None:
        """Wake the streams."""
        for viewer in self.viewers:
            viewer.wake()

    def news(self, sent: tuple[int, int]) -> tuple[list[bytes], tuple[int, int]]:
        """What a stream has not sent yet, and where it stands when it has."""
        rows, lacks = self._numbers
        messages = [self._shown] if rows > sent[0] else []
        if self._missing is not None and lacks > sent[1]:
            messages.append(self._kind.not_shown(self._id, self._missing))
        return messages, self._numbers


class Viewer:
    """One stream's view; `draining` says that it must end."""

    def __init__(self, watched: Sequence[Watched], *, draining: bool) -> None:
        self.draining = draining
        self._watched = watched
        self._sent = [_UNSENT] * len(watched)
        self._woken = asyncio.Event()
        for found in watched:
            found.viewers.add(self)

    def news(self) -> Iterator[bytes]:
        """What is to be sent now.

        Raises:
            Relayed: an instance can't be read at all.
        """
        self._woken.clear()
        for at, watched in enumerate(self._watched):
            if watched.error is not None:
                raise Relayed(watched.error.SerializeToString())
            messages, self._sent[at] = watched.news(self._sent[at])
            yield from messages

    @property
    def has_all_ended(self) -> bool:
        """Whether every instance has ended."""
        return all(watched.has_ended for watched in self._watched)

    @property
    def knows_nothing(self) -> bool:
        """Whether nothing is known yet of some instance."""
        return not all(watched.is_known for watched in self._watched)

    @property
    def last_ms(self) -> int:
        """When one of the instances was read last; 0 when none was."""
        return max(watched.seen_ms for watched in self._watched)

    @property
    def next_ms(self) -> int:
        """When one of them will be read next; 0 when that is not known."""
        return min((watched.next_ms for watched in self._watched if watched.next_ms), default=0)

    def drain(self) -> None:
        """Say that the server is going away."""
        self.draining = True
        self.wake()

    def wake(self) -> None:
        """Say that there may be news."""
        self._woken.set()

    async def wait(self, until: float) -> None:
        """Wait for news, or until the loop's clock says `until`."""
        timer = asyncio.get_running_loop().call_at(until, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()
