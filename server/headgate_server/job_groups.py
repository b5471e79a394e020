"""Reads jobs of an index in groups that are small in bytes, however large single jobs are.

How large the next group may be is told by those before: few jobs at first, then as many as are about one group's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from headgate_server.stored_rows import Stored

FIRST: Final = 8
"""Jobs of the first group."""

MOST: Final = 200
"""Most jobs of a group."""

GROUP_BYTES: Final = 2 * 1024 * 1024
"""What a group is to have at most, if its jobs are like those before."""


class Index(Protocol):
    """Port: walks jobs in order of acceptance."""

    async def walk(self, index: str, *, after: int, newest_first: bool, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next jobs."""

    async def load_many(self, job_ids: Sequence[str]) -> list[Stored | None]:
        """Jobs as they stand; None for each that is gone or can't be read."""


Row = tuple[int, Stored | None]
"""A job's acceptance number, and the job; None for one that is gone or can't be read."""


class JobGroups:
    """Groups of one walk; `bytes` is how many were read so far."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._jobs = 0
        self.bytes = 0

    def size(self) -> int:
        """How many jobs the next group may have, from 1."""
        if not self._jobs:
            return FIRST
        return max(1, min(MOST, GROUP_BYTES * self._jobs // max(1, self.bytes)))

    async def load(self, found: Sequence[tuple[str, int]]) -> list[Row]:
        """The jobs of a part of an index, in its order."""
        stored = await self._index.load_many([job_id for job_id, _ in found])
        self._jobs += len(found)
        self.bytes += sum(len(one.body) for one in stored if one is not None)
        return [(number, one) for (_, number), one in zip(found, stored, strict=True)]
