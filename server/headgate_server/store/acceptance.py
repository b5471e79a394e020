"""How a new job is recorded: the script `accept.lua`, and its keys and arguments made of the commit of a submit.

It does what the commit script does of a first commit, and leaves out what only later ones need: a submit waits for it,
and Redis has one thread for all. Servers of earlier versions record new jobs by the commit script.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from headgate.messages import feed_view
from headgate.scripts import loader
from headgate.store import audit, commit, date_claims, keys, queue_entries, snapshot
from headgate.store.commit import Commit
from headgate.store.commit_script import CommitAnswer
from headgate_server.store.job_scripts import PACKAGE


class AcceptKeys(NamedTuple):
    """KEYS of `accept.lua`; `other_...` are those under the connection's other name."""

    job: str
    log: str
    feed: str
    due: str
    jobs: str
    sequence: str
    state: str
    request: str
    request_uid: str
    definition: str
    queue: str
    kick: str
    name: str
    other_name: str
    dates: str
    line: str
    wants: str
    other_dates: str
    other_line: str
    other_wants: str
    audit: str
    stored: str


class AcceptArguments(NamedTuple):
    """ARGV of `accept.lua`; those not described here are as in `CommitArguments`.

    Args:
        state_number: the job's state.
        event: the first event of its log.
        shown: how the feed shows that; empty where it shows it whole.
    """

    job_id: str
    uid: str
    connection: str
    creator: str
    state_number: int
    event: bytes
    shown: bytes
    snapshot: bytes
    grace_ms: int
    wake_id: str
    wake_definition: bytes
    wake_delay_ms: int
    request_record: str
    name_uid: str
    days: str
    dates_mode: str
    actor: str
    method: str
    peer: str
    memory: str
    caller_jobs: int
    caller_bytes: int
    connection_jobs: int
    connection_bytes: int


class AcceptAnswer(IntEnum):
    """Codes of `accept.lua`: those of the commit script that a first commit can have."""

    COMMITTED = CommitAnswer.COMMITTED
    STALE = CommitAnswer.STALE
    DUPLICATE = CommitAnswer.DUPLICATE
    DAMAGED = CommitAnswer.DAMAGED
    OVERLAPPING = CommitAnswer.OVERLAPPING
    JOINED = CommitAnswer.JOINED
    LINE_FULL = CommitAnswer.LINE_FULL
    EXCEEDED = CommitAnswer.EXCEEDED
    NO_ROOM = CommitAnswer.NO_ROOM


MOST_KICKS: Final = 1_100
"""How long the list that wakes workers becomes while none is there; then its last 1,000 stay, so few submits cut it."""

SCRIPT: Final = loader.load(
    "accept",
    AcceptKeys,
    AcceptArguments,
    answers=AcceptAnswer,
    constants={
        **audit.CONSTANTS,
        **date_claims.CONSTANTS,
        "FEED_LENGTH": commit.FEED_LENGTH,
        "DEFINITION_TTL_MS": queue_entries.DEFINITION_TTL_MS,
        "REQUEST_TTL_MS": commit.REQUEST_TTL_MS,
        "MOST_WAITING": date_claims.MOST_WAITING,
        "MOST_KICKS": MOST_KICKS,
        "JOB_PREFIX": keys.job(""),
    },
    package=PACKAGE,
)
"""Records a new job with everything that follows from it, or changes nothing."""

_KICK: Final = keys.kick(keys.TICKS)


def is_first(change: Commit) -> bool:
    """Whether a commit is one that the script can make: a job's first, with one event and a tick, by no tick."""
    begins = not change.expected_revision and change.fence is None and len(change.events) == 1
    return begins and change.wake is not None and change.hints is None and change.lease_ms is None


def script_keys(change: Commit, default_connection: str = "") -> AcceptKeys:
    """KEYS of the script, as `commit.script_keys`."""
    job, wake = change.job, change.wake
    job_id = keys.job_id(job.name)
    request = change.request.key if change.request else keys.NO_REQUEST
    name, other_name = change.claim.keys(default_connection) if change.claim else commit.NO_NAMES
    dates = change.hold.keys(default_connection) if change.hold else date_claims.NO_KEYS
    return AcceptKeys(
        keys.job(job_id),
        keys.log(job_id),
        keys.FEED,
        keys.DUE,
        keys.JOBS,
        keys.SEQUENCE,
        keys.state(job.state),
        request,
        keys.request_life(request),
        keys.arq_job(wake.entry.id if wake else "none"),
        keys.TICKS,
        _KICK,
        name,
        other_name,
        *dates,
        keys.AUDIT,
        keys.STORED,
    )


def script_arguments(change: Commit) -> AcceptArguments:
    """ARGV of the script, by place: by name they would take 4 us more."""
    job, wake, claim, hold, origin = change.job, change.wake, change.claim, change.hold, change.origin
    shown = feed_view.shown(0, change.events) if change.shown is None else change.shown
    job_id = keys.job_id(job.name)
    return AcceptArguments(
        job_id,
        job.uid,
        job.connection,
        job.creator,
        job.state,
        change.events[0],
        shown[0] if shown else b"",
        snapshot.to_keep(job, 0, change.events, change.body),
        commit.GRACE_MS,
        wake.entry.id if wake else "",
        wake.entry.definition if wake else b"",
        wake.delay_ms if wake else 0,
        f"{job_id} {change.request.digest}" if change.request else "",
        claim.uid if claim else "",
        ",".join(hold.days) if hold else "",
        hold.mode if hold else "",
        origin.actor,
        origin.method,
        origin.peer,
        change.memory.value,
        *change.shares.arguments(),
    )
