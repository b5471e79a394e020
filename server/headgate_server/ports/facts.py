"""What is known of workers and quota besides a job, and the port that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from headgate.process.child_release import UNKNOWN, ChildRelease


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known besides the job.

    Args:
        now_ms: the store's clock.
        worker_seen_ms: time of the last heartbeat of a worker; None when none is known.
        quota: the hash of the connection's quota.
        taken: for a job that waits in line for its dates, which of them other jobs have, "yyyymmdd" to job id.
        state_since_ms: for a job that waits for a person, since when it is in its state; None when that is not known.
        children: what is known of when upstream begins children by itself.
    """

    now_ms: int
    worker_seen_ms: int | None = None
    quota: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, str] = field(default_factory=dict)
    state_since_ms: int | None = None
    children: ChildRelease = UNKNOWN


class ConnectionFacts(Protocol):
    """Port: knows workers and quotas."""

    async def facts(self, connection: str) -> Facts:
        """What is known for the jobs of a connection."""

    async def children(self, connection: str) -> ChildRelease:
        """What workers have seen of when upstream begins children by itself."""
