"""The commit: the only way to change a job. Its script text, its arguments and its answers; adapters run it.

One Lua script compares revision and fence and then writes log, state, feed, indexes, idempotency record and the ARQ
entry of the next tick together, or nothing. Lua does not roll back, so everything that can refuse comes before the
first write, and the first write is the one that can fail. Redis' own clock is the only clock. Ids stay strings: Lua's
numbers are doubles (measured: 9007199254740993 becomes ...992).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from headgate import pb
from headgate.job import log_bounds
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.job.log_bounds import LogBounds
from headgate.messages import feed_view
from headgate.store import audit, charges, commit_script, connection_names, date_claims, keys, queue_entries, snapshot
from headgate.store.charges import NO_LIMITS, Exceeded, Shares
from headgate.store.commit_script import CommitAnswer, CommitArguments, CommitKeys
from headgate.store.date_claims import Hold, Joined, LineFull, Overlapping

FEED_LENGTH: Final = 50_000
"""About how many events the feed keeps. A reader that falls behind further reads the logs instead."""

GRACE_MS: Final = 2_000
"""How long a due tick may be late before the reaper schedules another; of a running tick, how long after its lease."""

REQUEST_TTL_MS: Final = 8 * 24 * 3600 * 1000
"""How long a request_id is remembered; the API promises 7 days."""

SCRIPT: Final = commit_script.SCRIPT
"""Adds to a job's log with everything that follows from it, or changes nothing."""

NO_NAMES: Final = (keys.NO_INSTANCE_NAME, keys.NO_INSTANCE_NAME)
"""Keys of a job that gives its instances no name."""


@dataclass(frozen=True, slots=True)
class Wake:
    """When to look at a job next: the ARQ entry, and in how many ms (0 kicks a worker at once)."""

    entry: queue_entries.QueueEntry
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What makes a submit idempotent: the key of the request id, and the digest of the body it came with.

    It belongs to one life of a job, whose uid stands beside it.
    """

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class NameClaim:
    """The name that a job will give its instances upstream, which is what a search for a lost create looks for.

    The first job to claim a name sends it as it is; for a later one `marked` is set, and it sends a name of its own.

    Args:
        connection: the job's connection.
        project_id: its project.
        name: the name.
        uid: the job's uid.
    """

    connection: str
    project_id: int
    name: str
    uid: str

    def keys(self, default: str) -> tuple[str, str]:
        """Where it is claimed: under both names of the connection, of which `default` is the default one."""
        first, second = connection_names.both(self.connection, default)
        name = keys.instance_name(first, self.project_id, self.name)
        return name, name if second == first else keys.instance_name(second, self.project_id, self.name)


@dataclass(frozen=True, slots=True)
class Usage:
    """Upstream calls made since the last commit, and for how many ms slots of the quota were waited for."""

    reads: int = 0
    writes: int = 0
    throttled: int = 0
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class Polls:
    """When upstream was last read for a job, and when it will be next, in ms; None leaves what stands, 0 is never."""

    last_ms: int | None = None
    next_ms: int | None = None


class MemoryPolicy(Enum):
    """What a commit does to a store whose memory is running out."""

    SPARE = ""
    """It is refused when all of it is used up."""
    RESERVE = "reserve"
    """It goes on then: it is a worker's, or asks for an end."""
    REFUSE = "refuse"
    """It is not made, since it would make new work and the store is nearly full; only its repeat is answered."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One change of one job.

    Args:
        before: the job's state at the expected revision; UNSPECIFIED for a new job.
        job: the job after the events, the fold of its log.
        expected_revision: the revision that the change was decided at; 0 for a new job.
        events: the new events as bytes, revisions expected_revision + 1 and up; none changes only timing.
        fence: what `begin` gave; None for writers that hold no tick, such as a server.
        hints: scratch of the worker. Losing it changes timing only. None leaves it as it is.
        wake: the next tick; None for a terminal job.
        request: for a submit or a retry, its idempotency record.
        origin: who makes the change, for its audit record; `audit.NOBODY` for a worker.
        hold: dates of a backfill: taken, all or none, or waited for in line, by the commit that accepts it, runs dates
            again or begins it, and given back by the one that makes it terminal; None on all others.
        claim: for a submit that makes instances, the name it will give them: whether another job has given it too.
        polls: when upstream was read and will be; kept beside the job, for signs of life.
        body: the job as bytes, where its maker has them; they are made again where it has not.
        lease_ms: for how long the writer keeps the job from now on; 0 gives it back; None for a writer without a tick.
        shares: of a new job, how much its creator and its connection may have stored.
        shown: the events as the feed shows them, see `messages.feed_view`; None where their maker does not know.
        memory: what it does to a store whose memory is running out; one under a fence always goes on.
    """

    before: pb.JobState.ValueType
    job: pb.Job
    expected_revision: int
    events: tuple[bytes, ...]
    fence: int | None = None
    hints: bytes | None = None
    wake: Wake | None = None
    request: RequestRecord | None = None
    usage: Usage = Usage()
    lease_ms: int | None = None
    claim: NameClaim | None = None
    hold: Hold | None = None
    polls: Polls = Polls()
    body: bytes = b""
    origin: audit.Origin = audit.NOBODY
    shares: Shares = NO_LIMITS
    memory: MemoryPolicy = MemoryPolicy.SPARE
    shown: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """It is done: the job stands at `revision`, and it was `now_ms` by the store's clock."""

    revision: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Stale:
    """Another writer moved the job on to `revision` first; nothing was written."""

    revision: int


@dataclass(frozen=True, slots=True)
class Fenced:
    """Another tick has taken the job since; nothing was written, and nothing may be."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The request id was used before, for this job and with this digest; nothing was written.

    Args:
        uid: the job's; empty where a server recorded it that keeps no uid with a request.
    """

    job_id: str
    digest: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Log and state of the job disagree, which only a loss in the store can bring about; nothing was written."""

    revision: int


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The store is nearly full, and the commit would make new work; nothing was written."""


CommitOutcome = Committed | Stale | Fenced | Duplicate | Damaged | Overlapping | Joined | LineFull | Exceeded | NoRoom


def script_keys(commit: Commit, default_connection: str = "") -> CommitKeys:
    """KEYS of the script, in order; the default connection's name is empty where it has none, or none is known."""
    job_id = keys.job_id(commit.job.name)
    request = commit.request.key if commit.request else keys.NO_REQUEST
    name, other_name = commit.claim.keys(default_connection) if commit.claim else NO_NAMES
    dates = commit.hold.keys(default_connection) if commit.hold else date_claims.NO_KEYS
    return CommitKeys(
        keys.job(job_id),
        keys.log(job_id),
        keys.FEED,
        keys.DUE,
        keys.JOBS,
        keys.SEQUENCE,
        keys.state(commit.before),
        keys.state(commit.job.state),
        request,
        keys.EXPIRING,
        keys.arq_job(commit.wake.entry.id if commit.wake else "none"),
        keys.TICKS,
        keys.kick(keys.TICKS),
        name,
        dates.dates,
        dates.line,
        dates.wants,
        keys.request_life(request),
        keys.AUDIT,
        keys.STORED,
        keys.RECOUNT,
        dates.other_dates,
        dates.other_line,
        dates.other_wants,
        other_name,
    )


def script_arguments(commit: Commit) -> list[bytes | str | int]:
    """ARGV of the script: those with a name, the events, and how the feed shows them."""
    shown = feed_view.shown(commit.expected_revision, commit.events) if commit.shown is None else commit.shown
    return [*named_arguments(commit), *commit.events, *shown]


def named_arguments(commit: Commit) -> CommitArguments:
    """The arguments of the script that have a name, in order: by name they would take 4 us more."""
    job_id = keys.job_id(commit.job.name)
    terminal = commit.job.state in JOB_TERMINAL
    wake, usage, polls = commit.wake, commit.usage, commit.polls
    bounds = _bounds(commit, terminal=terminal)
    caller_jobs, caller_bytes, connection_jobs, connection_bytes = commit.shares.arguments()
    return CommitArguments(
        job_id,
        commit.expected_revision,
        "" if commit.fence is None else commit.fence,
        int(terminal),
        snapshot.to_keep(commit.job, commit.expected_revision, commit.events, commit.body),
        b"" if commit.hints is None else b"=" + commit.hints,
        FEED_LENGTH,
        wake.entry.id if wake else "",
        wake.entry.definition if wake else "",
        wake.delay_ms if wake else 0,
        queue_entries.DEFINITION_TTL_MS,
        commit.job.ttl_after_end.ToMilliseconds() if terminal else _late_after_ms(commit),
        f"{job_id} {commit.request.digest}" if commit.request else "",
        REQUEST_TTL_MS,
        int(commit.job.state),
        usage.reads,
        usage.writes,
        usage.throttled,
        "" if commit.lease_ms is None else commit.lease_ms,
        commit.claim.uid if commit.claim else "",
        ",".join(commit.hold.days) if commit.hold else "",
        keys.job(""),
        usage.waited_ms,
        "" if polls.last_ms is None else polls.last_ms,
        "" if terminal or polls.next_ms is None else polls.next_ms,
        commit.hold.mode if commit.hold else "",
        date_claims.MOST_WAITING,
        commit.job.uid,
        commit.job.connection,
        commit.origin.actor,
        commit.origin.method,
        commit.origin.peer,
        bounds.events,
        bounds.bytes,
        (commit.memory if commit.fence is None else MemoryPolicy.RESERVE).value,
        commit.job.creator,
        caller_jobs,
        caller_bytes,
        connection_jobs,
        connection_bytes,
        len(commit.events),
    )


def _bounds(commit: Commit, *, terminal: bool) -> LogBounds:
    """How long the job's log may become by a commit."""
    if commit.fence is not None:
        return log_bounds.UNBOUNDED if terminal else log_bounds.WORKERS
    ends = terminal or commit.job.state == pb.JOB_STATE_CANCELLING
    return log_bounds.UNBOUNDED if ends or not commit.expected_revision else log_bounds.CALLERS


def _late_after_ms(commit: Commit) -> int:
    """How long after its next tick, or the end of the lease that it runs on under, a job counts as late."""
    return GRACE_MS + (0 if commit.wake else commit.lease_ms or 0)


def parse_answer(raw: Sequence[int | bytes]) -> CommitOutcome:
    """What the script answered; less than three words where the job's revision is no number."""
    if len(raw) < 3:
        return Damaged(0)
    if raw[0] == CommitAnswer.COMMITTED:
        return Committed(int(raw[1]), int(raw[2]))
    return _REFUSALS[CommitAnswer(int(raw[0]))](raw)


def recorded(record: bytes, life: bytes | None) -> Duplicate:
    """What a request id was used for, by its record and by the uid that is kept beside it, if there is one."""
    job_id, digest = record.decode().split(" ")
    return Duplicate(job_id, digest, (life or b"").decode())


_REFUSALS: Final[Mapping[CommitAnswer, Callable[[Sequence[int | bytes]], CommitOutcome]]] = {
    CommitAnswer.STALE: lambda raw: Stale(int(raw[1])),
    CommitAnswer.FENCED: lambda _: Fenced(),
    CommitAnswer.DUPLICATE: lambda raw: recorded(bytes(raw[1]), bytes(raw[3])),
    CommitAnswer.DAMAGED: lambda raw: Damaged(int(raw[1])),
    CommitAnswer.OVERLAPPING: lambda raw: Overlapping(date_claims.parse_taken(bytes(raw[1]))),
    CommitAnswer.JOINED: lambda raw: Joined(bytes(raw[1]).decode(), bytes(raw[3]).decode()),
    CommitAnswer.LINE_FULL: lambda raw: LineFull(int(raw[1])),
    CommitAnswer.EXCEEDED: lambda raw: charges.parse_exceeded(bytes(raw[1])),
    CommitAnswer.NO_ROOM: lambda _: NoRoom(),
}
"""What the script's codes mean, from the whole of its answer."""
