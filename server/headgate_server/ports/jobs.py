"""Jobs and parts of their logs as the store answers them, and the ports that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headgate import pb
from headgate.store.date_claims import Hold
from headgate.store.lives import Life


@dataclass(frozen=True, slots=True)
class LogPage:
    """A part of a log, read in one moment together with the job's state.

    Args:
        revision: the job's last revision.
        state: the job's state at that revision.
        kept_from: the first revision that the log still has.
        first: revision of the first event in `events`.
        events: events as bytes, without gaps; empty when there is none from `first` on.
        last: the event at `revision`; empty when the log does not have it.
        job: the job at `revision` as bytes; empty unless asked for.
        uid: the job's; empty where it is not known.
        unreadable: revisions of those events that can't be read.
        given_up: whether workers have given the job up since it can't be read: nothing will follow.
    """

    revision: int
    state: pb.JobState.ValueType
    kept_from: int
    first: int
    events: tuple[bytes, ...]
    last: bytes
    job: bytes = b""
    uid: str = ""
    unreadable: tuple[int, ...] = ()
    given_up: bool = False

    def readable(self, first: int) -> tuple[bytes, ...]:
        """The events from a revision on, up to one that can't be read."""
        later = (revision for revision in self.unreadable if revision >= first)
        return self.events[first - self.first : min(later, default=self.first + len(self.events)) - self.first]

    def damage(self, first: int) -> int | None:
        """Which event from a revision on can't be read and is the next; 0 when none is there and none will follow."""
        if first in self.unreadable:
            return first
        return 0 if self.given_up and first > self.revision else None


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as it stands.

    Args:
        revision: its last revision.
        body: the Job as bytes, call counters included.
        job: the same, parsed.
    """

    revision: int
    body: bytes
    job: pb.Job

    @property
    def life(self) -> Life:
        """Which life of its id the job is."""
        return Life(self.job.uid, self.job.connection)


class Index(Protocol):
    """Port: walks jobs in order of acceptance."""

    async def walk(self, index: str, *, after: int, newest_first: bool, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next jobs."""

    async def load_many(self, job_ids: Sequence[str]) -> list[StoredJob | None]:
        """Jobs as they stand; None for each that is gone or can't be read."""

    async def connections_of(self, job_ids: Sequence[str]) -> list[str | None]:
        """Their connections; None for each whose connection stands only in the job itself, or nowhere."""


Found = tuple[str, int]
"""A job's id and its acceptance number."""


class LogReader(Protocol):
    """Port: reads logs."""

    async def read_log(self, job_id: str, *, first: int, count: int, with_job: bool = False) -> LogPage | None:
        """A part of a log with the state it belongs to; None when there is no such job."""

    async def polls(self, job_id: str) -> tuple[int, int]:
        """When upstream was last read for a job, and when it will be next, in ms; 0 for what is not known."""


class JobStore(Index, LogReader, Protocol):
    """Port: finds, counts and loads jobs."""

    async def load(self, job_id: str) -> StoredJob | None:
        """A job as it stands; None when there is none."""

    async def count(self) -> dict[pb.JobState.ValueType, int]:
        """How many jobs are in each state."""

    async def held(self, hold: Hold, *, job_id: str = "") -> Mapping[str, str]:
        """Which of the dates are held by other jobs: "yyyymmdd" to job id."""
