"""The deletion of a finished job, for callers and for what has expired, and of one that can't be read: the scripts."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from headgate import pb
from headgate.scripts import loader
from headgate.store import audit, commit, keys
from headgate.store.audit import NOBODY, Origin


class DeleteKeys(NamedTuple):
    """KEYS of `delete.lua`."""

    job: str
    log: str
    jobs: str
    state: str
    due: str
    expiring: str
    feed: str
    audit: str
    stored: str
    recount: str


class DeleteArguments(NamedTuple):
    """ARGV of `delete.lua`.

    Args:
        job_id: which job.
        revision: the one that it is deleted at.
        only_expired: 1 where it must have expired.
        feed_length: about how many events the feed keeps.
        uid: the job's; empty where none is known.
        actor: who deletes it. Without one nothing is recorded.
        method: by which RPC.
        peer: from which address.
        connection: the job's, for the record.
    """

    job_id: str
    revision: int
    only_expired: int
    feed_length: int
    uid: str
    actor: str
    method: str
    peer: str
    connection: str


class DeleteAnswer(IntEnum):
    """Codes of `delete.lua`: it is done, there is no such job, it has moved on or another one has its id."""

    CHANGED = -1
    MISSING = 0
    DELETED = 1


DELETE_SCRIPT: Final = loader.load(
    "delete", DeleteKeys, DeleteArguments, answers=DeleteAnswer, constants=audit.CONSTANTS
)
"""Deletes a finished job with its log, gives its charge back, notifies watchers, and records who did it."""


def script_keys(job_id: str, state: int) -> DeleteKeys:
    """KEYS of the deletion of a job that is in a state."""
    return DeleteKeys(
        job=keys.job(job_id),
        log=keys.log(job_id),
        jobs=keys.JOBS,
        state=keys.state(pb.JobState.ValueType(state)),
        due=keys.DUE,
        expiring=keys.EXPIRING,
        feed=keys.FEED,
        audit=keys.AUDIT,
        stored=keys.STORED,
        recount=keys.RECOUNT,
    )


def script_arguments(
    job_id: str, revision: int, uid: str, *, connection: str = "", origin: Origin = NOBODY, only_expired: bool = False
) -> DeleteArguments:
    """ARGV of a deletion; see `DeleteArguments`."""
    who = (origin.actor, origin.method, origin.peer, connection)
    return DeleteArguments(job_id, revision, int(only_expired), commit.FEED_LENGTH, uid, *who)


class ForgetKeys(NamedTuple):
    """KEYS of `forget.lua`; then comes every set that may have the job."""

    job: str
    log: str
    feed: str
    queue: str
    audit: str
    stored: str
    recount: str


class ForgetArguments(NamedTuple):
    """ARGV of `forget.lua`: revision and uid are those of the row that is meant, each empty where it has none."""

    job_id: str
    feed_length: int
    revision: bytes
    uid: bytes
    actor: str
    method: str
    peer: str


class ForgetAnswer(IntEnum):
    """Codes of `forget.lua`: another row stands there by now, or it is done."""

    CHANGED = 0
    DELETED = 1


FORGET_SCRIPT: Final = loader.load(
    "forget",
    ForgetKeys,
    ForgetArguments,
    answers=ForgetAnswer,
    constants={**audit.CONSTANTS, "ARQ_JOB": keys.ARQ_JOB},
)
"""Deletes a job that can't be read, and gives back what its row says that it was charged."""


def forget_keys(job_id: str) -> list[str]:
    """KEYS of `forget.lua`."""
    sets = (keys.JOBS, keys.DUE, keys.EXPIRING, keys.DAMAGED, *map(keys.state, pb.JobState.values()))
    others = (keys.FEED, keys.TICKS, keys.AUDIT, keys.STORED, keys.RECOUNT)
    return [*ForgetKeys(keys.job(job_id), keys.log(job_id), *others), *sets]


def forget_arguments(job_id: str, seen: tuple[bytes, bytes], origin: Origin = NOBODY) -> ForgetArguments:
    """ARGV of `forget.lua`, by revision and uid of the row that was seen."""
    return ForgetArguments(job_id, commit.FEED_LENGTH, *seen, origin.actor, origin.method, origin.peer)


class CleanKeys(NamedTuple):
    """KEYS of `clean_dates.lua`: the holders of a target, its line, or what those in line want."""

    dates: str


class CleanArguments(NamedTuple):
    """ARGV of `clean_dates.lua`."""

    job_id: str


CLEAN_SCRIPT: Final = loader.load("clean_dates", CleanKeys, CleanArguments)
"""Takes a job off what is kept of the dates of one target."""
