"""Reads jobs of an index in groups that are small in bytes, however large single jobs are.

The size of the next group follows from those before: few jobs at first, then as many as are about one group's bytes.
Of jobs that a caller may not see only the connection is read, so that jobs of others cost the caller's share nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Final

from headgate_server.ports.jobs import Found, Index, StoredJob

FIRST: Final = 4
"""Jobs of the first group."""

MOST: Final = 200
"""Most jobs of a group."""

GROUP_BYTES: Final = 1024 * 1024
"""What a group is to have at most, if its jobs are like those before."""


Row = tuple[int, StoredJob | None]
"""A job's acceptance number, and the job; None for one that is hidden or gone, or can't be read."""


def _ignore(_size: int) -> None:
    """Nothing is counted."""


class JobGroups:
    """Groups of one walk; `bytes` is how many were read so far.

    Args:
        index: where the jobs are.
        connections: those whose jobs are read; None for all of them.
        on_read: called with the bytes of each group.
    """

    def __init__(
        self, index: Index, connections: Collection[str] | None = None, on_read: Callable[[int], None] = _ignore
    ) -> None:
        self._on_read = on_read
        self._index = index
        self._connections = connections
        self._jobs = 0
        self.bytes = 0

    def walked(self) -> int:
        """How many entries of the index to ask for next, from 1."""
        return self._size() if self._connections is None else MOST

    async def load(self, found: Sequence[Found]) -> AsyncIterator[list[Row]]:
        """The jobs of a part of an index, in its order, group by group."""
        hidden, left = await self._hidden(found), found
        while left:
            end = self._end(left, hidden)
            yield await self._load(left[:end], hidden)
            left = left[end:]

    async def _hidden(self, found: Sequence[Found]) -> frozenset[str]:
        wanted = self._connections
        if wanted is None or not found:
            return frozenset()
        names = await self._index.connections_of([job_id for job_id, _ in found])
        both = zip(found, names, strict=True)
        return frozenset(job_id for (job_id, _), name in both if name is not None and name not in wanted)

    def _end(self, left: Sequence[Found], hidden: frozenset[str]) -> int:
        """Where the next group ends: it has as many jobs to read as a group may have."""
        room = self._size()
        for place, (job_id, _) in enumerate(left):
            room -= job_id not in hidden
            if not room:
                return place + 1
        return len(left)

    async def _load(self, group: Sequence[Found], hidden: frozenset[str]) -> list[Row]:
        ids = [job_id for job_id, _ in group if job_id not in hidden]
        stored = dict(zip(ids, await self._index.load_many(ids), strict=True)) if ids else {}
        self._jobs += len(ids)
        size = sum(len(one.body) for one in stored.values() if one is not None)
        self.bytes += size
        self._on_read(size)
        return [(number, stored.get(job_id)) for job_id, number in group]

    def _size(self) -> int:
        if not self._jobs:
            return FIRST
        return max(1, min(MOST, GROUP_BYTES * self._jobs // max(1, self.bytes)))
