"""How many jobs of some connections are in each state: looked up one by one, since no index knows connections.

A job's connection never changes and an acceptance number is never used again, so what was looked up once is kept, and
a count that was cut off by its deadline makes the next one shorter.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from headgate import keys, pb
from headgate_server.job_groups import Index, JobGroups

MAX_KEPT: Final = 200_000
"""Most jobs whose connection is kept; about 100 bytes each. Beyond it all are forgotten and looked up anew."""

CHUNK: Final = 200
"""Jobs that are looked up at a time."""


class Tally:
    """Counts jobs."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._connections: dict[int, str] = {}

    async def count(self, connections: Collection[str]) -> dict[pb.JobState.ValueType, int]:
        """How many jobs of the connections are in each state; states without any are left out."""
        counts: dict[pb.JobState.ValueType, int] = {}
        for state in pb.JobState.values():
            after = 0
            while chunk := await self._index.walk(keys.state(state), after=after, newest_first=False, count=CHUNK):
                after = chunk[-1][1]
                if len(self._connections) + CHUNK > MAX_KEPT:
                    self._connections.clear()
                await self._learn([(job_id, number) for job_id, number in chunk if number not in self._connections])
                found = sum(self._connections.get(number) in connections for _, number in chunk)
                counts[state] = counts.get(state, 0) + found
        return counts

    async def _learn(self, unknown: list[tuple[str, int]]) -> None:
        groups, left = JobGroups(self._index), unknown
        while left:
            group, left = left[: groups.size()], left[groups.size() :]
            for number, found in await groups.load(group):
                if found is not None:
                    self._connections[number] = found.job.connection
