"""The store as ticks and reads need it: values, and protocols of what its adapters do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from redis.exceptions import RedisError

from headgate import pb
from headgate.check.self_check import CheckReads
from headgate.process.child_release import UNKNOWN, ChildRelease, ReleaseEvidence
from headgate.store import queue_entries
from headgate.store.commit import Commit, CommitOutcome
from headgate.store.observations import KeptObservation
from headgate_worker.core.model.calls import StopRecord
from headgate_worker.core.model.kept_survey import KeptDate


@dataclass(frozen=True, slots=True)
class Taken:
    """A job taken for one tick.

    Args:
        fence: shuts out the tick that had the job before.
        attempts: ticks that began since the last commit, this one included.
        now_ms: the store's clock.
        release: what is known of how the job's connection begins children.
        marked: another job gave its instances the same name first, so that this one needs a name of its own.
    """

    job: pb.Job
    fence: int
    attempts: int
    hints: bytes
    now_ms: int
    marked: bool = False
    release: ChildRelease = UNKNOWN


@dataclass(frozen=True, slots=True)
class Busy:
    """Another tick has the job for `for_ms` more, unless it renews; it schedules another tick at its end."""

    for_ms: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A job that was to be taken and can't be read.

    Args:
        fence: shuts out the tick that had it before; None where not even that can be kept of it.
        attempts: ticks that began since the last commit, this one included.
    """

    fence: int | None
    attempts: int


LeaseResult = Taken | Busy | Unreadable
"""What became of a tick's wish to lease a job."""


@dataclass(frozen=True, slots=True)
class LateTicks:
    """What a look for late ticks found.

    Args:
        now_ms: the store's clock.
        lost: jobs whose next entry is gone.
        looked_at: how many jobs were late, those included whose entry only waits in a long queue.
        first_ms: score of the head of the queue; what is put there is claimed next.
    """

    now_ms: int
    lost: tuple[str, ...]
    looked_at: int
    first_ms: int


@dataclass(frozen=True, slots=True)
class ReadClaim:
    """A read of an instance. One that was claimed is to be published, or abandoned.

    Args:
        token: of the claim; empty for a read that no other waits for.
        at_ms: when it was claimed, or sent, by the store's clock.
        instance_id: of a claimed read.
    """

    connection: str
    token: str
    at_ms: int
    instance_id: int = 0


STORE_AWAY: Final = (RedisError, OSError)
"""What a store that is away looks like: redis-py lets a reset connection's own error through here and there."""


class InstanceReads(Protocol):
    """Port: reads of instances that all workers share."""

    async def ask(self, connection: str, instance_id: int, since_ms: int | None = None) -> KeptObservation | ReadClaim:
        """An observation that was claimed at `since_ms` or later, waited for if need be; or the claim to read it."""

    async def publish(self, claim: ReadClaim, seen: pb.WorkflowInstance, *, follow_ms: int = 0) -> None:
        """Keep what a read has brought, for all, and end its claim."""

    async def abandon(self, claim: ReadClaim) -> None:
        """Let another read go out: this one brought nothing, or was not sent."""


class StopLog(Protocol):
    """Port: stops that jobs have sent."""

    async def record(self, connection: str, ids: Iterable[int | str], stop: StopRecord) -> None:
        """Note a stop that is about to be sent beside each of its instances."""

    async def answered(self, connection: str, answers: Mapping[int | str, bool], stop: StopRecord) -> None:
        """Note by instance that a stop was accepted; where it was refused, forget it."""

    async def of(self, connection: str, instance_id: int | str) -> tuple[StopRecord, ...]:
        """The stops on record for an instance."""


class ReleaseLog(Protocol):
    """Port: how connections begin children, known to all workers."""

    async def learn(self, connection: str, evidence: ReleaseEvidence) -> ChildRelease:
        """Remember what a child has shown; what is known of its connection then."""


class TickStore(Protocol):
    """Port: takes jobs and commits changes. A lease lasts `lease_ms`."""

    lease_ms: int

    @property
    def shared_reads(self) -> InstanceReads:
        """Reads that all workers share."""

    @property
    def stops(self) -> StopLog:
        """Stops on record."""

    @property
    def child_releases(self) -> ReleaseLog:
        """How connections begin children."""

    async def begin(self, job_id: str) -> LeaseResult | None:
        """Take a job for one tick; None when there is no such job any more."""

    async def give_up(self, job_id: str, fence: int | None) -> None:
        """Have a job that can't be read, or not be ended, looked at no more, unless another tick has it by now."""

    async def load(self, job_id: str) -> pb.Job | None:
        """The job as it stands, without taking it."""

    async def commit(self, change: Commit) -> CommitOutcome:
        """Make a change, all or nothing."""

    async def renew(self, job_id: str, fence: int) -> bool:
        """Keep a job for another lease; False when another tick has taken it."""

    async def release(self, job_id: str, fence: int, *, uncount: bool) -> None:
        """Give a job back before its tick is over; `uncount` takes back the attempt that was counted."""

    async def put_durations(self, target: str, durations_ms: Sequence[int]) -> None:
        """Keep how long the last dates of a backfill took, for the plans of others."""

    async def put_observation(self, connection: str, seen: pb.FlowInstance, *, follow_ms: int = 0) -> None:
        """Keep what was last read of a flow instance."""

    async def follow(self, connection: str, instance_id: int | str, follow_ms: int) -> None:
        """Leave the next read of an instance to a job for `follow_ms`; 0 changes nothing."""


class ReaperStore(Protocol):
    """Port: finds late ticks and expired jobs."""

    @property
    def given_up(self) -> int:
        """How many jobs were given up."""

    def was_away(self) -> None:
        """Note that the store could not be reached."""

    async def late_jobs(self, limit: int) -> LateTicks:
        """Look at no more than `limit` jobs whose tick is late; each gets a new grace."""

    async def requeue(self, ticks: Mapping[str, queue_entries.QueueEntry], at_ms: int) -> int:
        """Give jobs another next tick, due at `at_ms`; how many of the jobs are there."""

    async def expired_jobs(self, now_ms: int, limit: int) -> tuple[str, ...]:
        """At most `limit` finished jobs that are to be deleted."""

    async def delete_expired(self, job_id: str) -> bool:
        """Delete a finished job with its log, if it still has expired; whether it did."""

    async def recount(self) -> bool:
        """Count the charges of some jobs anew, when it is time; whether there are more to count."""

    async def heartbeat(self, worker_id: str, now_ms: int, *, lifetime_ms: int) -> None:
        """Say that this worker lives."""


class CheckStore(CheckReads, Protocol):
    """Port: reads for self-checks, and the claim on the day's sample."""

    async def claim_check(self) -> bool:
        """Claim the day's sample; whether it was still to be had."""

    async def sample(self, count: int) -> Sequence[str]:
        """At most so many jobs, each once, drawn from all that there are."""


class SurveyStore(Protocol):
    """Port: keeps what plans have found of dates, for plans of the next minutes."""

    async def of(self, survey: str, days: Sequence[str]) -> Mapping[str, KeptDate]:
        """What is kept of dates, "yyyymmdd" each, of a survey; dates without a record are left out."""

    async def keep(self, survey: str, found: Mapping[str, KeptDate]) -> None:
        """Keep what was found of dates, "yyyymmdd" each."""


class ReadStore(Protocol):
    """Port: answers reads, and keeps what they have brought."""

    @property
    def kept_surveys(self) -> SurveyStore:
        """What plans have found."""

    @property
    def shared_reads(self) -> InstanceReads:
        """Reads that all workers share."""

    async def now_ms(self) -> int:
        """The store's clock."""

    async def reply(self, to: str, answer: queue_entries.ReadReply) -> None:
        """Answer a read."""

    async def put_observation(self, connection: str, seen: pb.FlowInstance, *, follow_ms: int = 0) -> None:
        """Keep what was last read of a flow instance."""

    async def durations(self, target: str) -> tuple[int, ...]:
        """How long the last dates of such a backfill took, in ms; empty when that is not known."""
