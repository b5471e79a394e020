"""The commit script's sides in Python: its keys, its arguments and the codes of its answers.

`scripts/commit.lua` is the script; `headgate.store.commit` makes keys and arguments of a change, and reads the answers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from headgate.job.lifecycle import JOB_TERMINAL
from headgate.scripts import loader
from headgate.store import audit, date_claims, keys


class CommitKeys(NamedTuple):
    """KEYS of `commit.lua`; `other_...` are those under the connection's other name."""

    job: str
    log: str
    feed: str
    due: str
    jobs: str
    sequence: str
    state_before: str
    state_after: str
    request: str
    expiring: str
    definition: str
    queue: str
    kick: str
    name: str
    dates: str
    line: str
    wants: str
    request_uid: str
    audit: str
    stored: str
    recount: str
    other_dates: str
    other_line: str
    other_wants: str
    other_name: str


class CommitArguments(NamedTuple):
    """ARGV of `commit.lua`; then come the events, and for each how the feed shows it.

    Args:
        job_id: whose log.
        expected_revision: where the change was decided; 0 for a new job.
        fence: the writer's; empty for one without a tick.
        is_terminal: 1 where the job has ended.
        snapshot: what is kept of the job beside its log; empty to leave it.
        hints: "=" and the scratch; empty to leave it.
        feed_length: about how many events the feed keeps.
        wake_id: entry of the next tick; empty without one.
        wake_definition: its definition.
        wake_delay_ms: when it is due, from now; 0 kicks a worker.
        definition_ttl_ms: how long the definition outlives that.
        grace_ms: how long after its next tick the job counts as late; of one that has ended, how long it is kept.
        request_record: what the request id was used for; empty without one.
        request_ttl_ms: how long that is kept; the name is kept five times as long.
        state: the job's state.
        reads: calls upstream since the last commit, as the next two.
        writes: see `reads`.
        throttled: see `reads`.
        lease_ms: for how long the writer keeps the job; 0 gives it back, empty leaves it.
        name_uid: who claims the name of the job's instances; empty for none.
        days: dates that are taken, waited for or given back, with commas between.
        job_prefix: what the keys of jobs begin with.
        waited_ms: for how long slots of the quota were waited for.
        polled_ms: when upstream was last read; empty to leave it.
        next_poll_ms: when it will be; empty to leave it.
        dates_mode: how to get the dates; see `date_claims`.
        most_waiting: how many may stand in a line.
        uid: the job's.
        connection: the job's.
        actor: who makes the change; empty for a worker.
        method: by which RPC.
        peer: from which address.
        most_events: how long the log may become; 0 for no bound.
        most_bytes: the same in bytes.
        memory: see `commit.Memory`.
        creator: the caller that the job is charged to.
        caller_jobs: how much of that caller may be stored; 0 for no limit.
        caller_bytes: the same in bytes.
        connection_jobs: how much of the connection may be stored; 0 for no limit.
        connection_bytes: the same in bytes.
        event_count: how many events follow.
    """

    job_id: str
    expected_revision: int
    fence: int | str
    is_terminal: int
    snapshot: bytes
    hints: bytes
    feed_length: int
    wake_id: str
    wake_definition: bytes | str
    wake_delay_ms: int
    definition_ttl_ms: int
    grace_ms: int
    request_record: str
    request_ttl_ms: int
    state: int
    reads: int
    writes: int
    throttled: int
    lease_ms: int | str
    name_uid: str
    days: str
    job_prefix: str
    waited_ms: int
    polled_ms: int | str
    next_poll_ms: int | str
    dates_mode: str
    most_waiting: int
    uid: str
    connection: str
    actor: str
    method: str
    peer: str
    most_events: int
    most_bytes: int
    memory: str
    creator: str
    caller_jobs: int
    caller_bytes: int
    connection_jobs: int
    connection_bytes: int
    event_count: int


class CommitAnswer(IntEnum):
    """Codes of `commit.lua`; all but one say that nothing was written, or in `JOINED` only the request's record."""

    COMMITTED = 1
    STALE = -1
    FENCED = -2
    DUPLICATE = -3
    DAMAGED = -4
    OVERLAPPING = -5
    JOINED = -6
    LINE_FULL = -7
    EXCEEDED = -11
    NO_ROOM = -12


_CONSTANTS: Final[dict[str, loader.Constant]] = {
    **audit.CONSTANTS,
    **date_claims.CONSTANTS,
    "TERMINAL_INDEXES": [keys.state(state) for state in sorted(JOB_TERMINAL)],
    "ARQ_JOB": keys.ARQ_JOB,
}

SCRIPT: Final = loader.load("commit", CommitKeys, CommitArguments, answers=CommitAnswer, constants=_CONSTANTS)
"""Adds to a job's log with everything that follows from it, or changes nothing."""
