"""How many jobs of some connections are in each state: looked up one by one, since no index is by connection.

A job's connection never changes and an acceptance number is never used again, so what was looked up once is kept, and
a count that was cut off by its deadline makes the next one shorter.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from headgate import pb
from headgate.store import keys
from headgate_server.jobs.job_groups import JobGroups
from headgate_server.ports.jobs import Found, Index

MAX_KEPT: Final = 200_000
"""Most jobs whose connection is kept; about 100 bytes each. Beyond it all are forgotten and looked up anew."""

CHUNK: Final = 200
"""Jobs that are looked up at a time."""


class JobCounts:
    """Counts jobs."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._read: dict[int, str] = {}
        self._told: dict[int, str] = {}

    async def count(self, connections: Collection[str]) -> dict[pb.JobState.ValueType, int]:
        """How many jobs of the connections are in each state; states without any are left out."""
        counts: dict[pb.JobState.ValueType, int] = {}
        for state in pb.JobState.values():
            after = 0
            while chunk := await self._index.walk(keys.state(state), after=after, newest_first=False, count=CHUNK):
                after = chunk[-1][1]
                self._make_room()
                await self._learn([found for found in chunk if found[1] not in self._read], connections)
                found = sum(self._read.get(number) in connections for _, number in chunk)
                counts[state] = counts.get(state, 0) + found
        return counts

    def _make_room(self) -> None:
        for known in (self._read, self._told):
            if len(known) + CHUNK > MAX_KEPT:
                known.clear()

    async def _learn(self, unknown: list[Found], connections: Collection[str]) -> None:
        """Read the jobs that may count, since one that can't be read does not; of others the connection is enough."""
        asked = [found for found in unknown if found[1] not in self._told]
        names = await self._index.connections_of([job_id for job_id, _ in asked]) if asked else []
        told = ((number, name) for (_, number), name in zip(asked, names, strict=True) if name is not None)
        self._told.update(told)
        left = [found for found in unknown if self._told.get(found[1]) is None or self._told[found[1]] in connections]
        async for rows in JobGroups(self._index).load(left):
            self._read.update((number, found.job.connection) for number, found in rows if found is not None)
