"""Names of everything headgate keeps in Redis. One place, so that no two processes can disagree."""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import Final

from headgate import pb
from headgate.process.caller_rules import RESOURCE_ID

PREFIX: Final = "hg:"

FEED: Final = "hg:feed"
"""Stream of all events of all jobs, trimmed; live fan-out only. Fields: i job id, r revision, e event bytes, and where
those are without payloads, d the digest of the whole event; see `feed_view`."""

DUE: Final = "hg:due"
"""Sorted set of unfinished jobs; score = when, in ms, a tick must have looked at it. The reaper's index."""

EXPIRING: Final = "hg:expiring"
"""Sorted set of finished jobs; score = when, in ms, job and log are deleted."""

JOBS: Final = "hg:jobs"
"""Sorted set of all jobs; score = number of acceptance."""

DAMAGED: Final = "hg:damaged"
"""Sorted set of jobs that can't be read and that workers have given up; score = when, in ms."""

SEQUENCE: Final = "hg:sequence"
"""Counter behind the scores of JOBS."""

TICKS: Final = "headgate:ticks"
"""ARQ queue of ticks."""

READS: Final = "headgate:reads"
"""ARQ queue of reads: a lane of its own, so that a flood of ticks never delays a Get."""

WORKERS: Final = "hg:workers"
"""Sorted set of worker processes; score = its last heartbeat, in ms."""

AUDIT: Final = "hg:audit"
"""Stream of the changes that callers made, trimmed; see `audit`."""

STORED: Final = "hg:stored"
"""Hash of what stored jobs are charged to: "jobs" and "bytes" of "caller:NAME" and of "connection:NAME"; see `charges`.
No field stands at 0."""

RECOUNT: Final = f"{STORED}:recount"
"""Hash as `STORED` while everything is counted anew, and `walked`: the acceptance number that the count has reached."""

RECOUNTED: Final = f"{STORED}:recounted"
"""String that exists for `charges.RECOUNT_EVERY_MS` after everything was counted anew."""

CHECKED: Final = "hg:checked"
"""String that exists for a day after a worker has begun to check a sample of all jobs."""

NOTIFIER: Final = "hg:notifier"
"""Hash of which worker sends the notifications: owner, until (ms, end of the lease), fence (rises with each owner)."""

NOTIFIED: Final = "hg:notified"
"""Hash of how far notifications were sent: name of an endpoint to the id of an entry of the feed."""

PROBE: Final = "hg:probe"
"""String that a server writes to see whether writing works."""

_JOB_NAME: Final = re.compile(rf"jobs/({RESOURCE_ID})\Z")


def job(job_id: str) -> str:
    """Hash of a job: rev, st, snap (Job bytes; see `snapshot`), fence, att, hints, seq, counters, polled, polls_at.

    `bad` is there once workers have given it up since it can't be read.

    Also uid and conn, its connection, which are written when it is accepted; jobs of earlier versions have neither.

    While no value is longer than 64 bytes, as before the job begins, Redis keeps it in a fifth of the room. Of an ended
    job no `att` and no `polls_at` are kept: both would be 0.
    """
    return f"hg:job:{job_id}"


def log(job_id: str) -> str:
    """List of a job's events as bytes; position + 1 = revision."""
    return f"hg:log:{job_id}"


def state(value: pb.JobState.ValueType) -> str:
    """Sorted set of the jobs in a state, scored as JOBS."""
    return f"hg:jobs:{int(value)}"


def digest(text: bytes) -> str:
    """Digest of a text: 22 characters of base64, where hex would be 32, since most jobs have four."""
    return binascii.b2a_base64(hashlib.blake2b(text, digest_size=16).digest())[:22].decode()


NO_REQUEST: Final = "hg:request:none"
"""Stands where a key of a request is needed and there is none."""


def request(caller: str, request_id: str) -> str:
    """String that makes a submit idempotent: "<job id> <body digest>"."""
    text = f"{caller}\n{request_id}"
    return f"hg:request:{digest(text.encode())}"


def request_life(request_key: str) -> str:
    """String beside a request's record: the uid of its job, since the same id may be another job's by now.

    A key of its own, because servers of earlier versions split the record at its only space.
    """
    return f"{request_key}:uid"


def instance_name(connection: str, project_id: int, name: str) -> str:
    """String that holds the uid of the first job to give its instances a name; see `commit.NameClaim`."""
    text = f"{connection}\n{project_id}\n{name}"
    return f"hg:name:{digest(text.encode())}"


NO_INSTANCE_NAME: Final = "hg:name:none"
"""Stands where a key of an instance's name is needed and there is none."""

DATES: Final = "hg:dates:"
"""What the names of `dates` begin with."""


def dates(target: str) -> str:
    """Hash of the dates that jobs hold of a backfill's target, as `overlap.target` names it: "yyyymmdd" to job id."""
    return f"{DATES}{target}"


def dates_line(target: str) -> str:
    """Sorted set of the jobs that wait for dates of a target; score = place in line."""
    return f"{dates(target)}:line"


def dates_wants(target: str) -> str:
    """Hash of the dates that each job in that line wants: job id to "yyyymmdd", with commas between."""
    return f"{dates(target)}:wants"


def quota(connection: str) -> str:
    """Hash of a connection's quota; see `quota`."""
    return f"hg:quota:{connection}"


def quota_sent(connection: str, klass: str) -> str:
    """List of when the last calls of a class, or of all ("total"), were let out, in us; the newest first."""
    return f"{quota(connection)}:sent:{klass}"


def quota_creators(connection: str, pool: str) -> str:
    """Sorted set of the creators that ask for calls of a pool; score = when they last did, in us; see `shares`."""
    return f"{quota(connection)}:creators:{pool}"


def quota_turns(connection: str, pool: str) -> str:
    """Hash of what each of those creators has had."""
    return f"{quota(connection)}:turns:{pool}"


def observation(connection: str, instance_id: int | str) -> str:
    """String with the last observation of an instance, as bytes."""
    return f"hg:seen:{connection}:{instance_id}"


LOOK_JOB: Final = b"job"
"""Value of `look` while a job follows the instance."""

LOOK_WATCHERS: Final = b"watchers"
"""Value of `look` while a server has it read for watchers."""


def look(connection: str, instance_id: int | str) -> str:
    """String that says who makes the next read of an instance; without it any server that has watchers may."""
    return f"hg:look:{connection}:{instance_id}"


def durations(target: str) -> str:
    """String with how long the last dates of a backfill's target took, as `date_claims.target` names it: JSON, ms."""
    return f"hg:took:{target}"


def survey(digest: str) -> str:
    """Hash with what plans have found of dates, "yyyymmdd" to JSON; `digest` names the backfill, see `kept_survey`."""
    return f"hg:survey:{digest}"


def child_release(connection: str) -> str:
    """String with what workers have seen of when upstream begins children by itself, on a connection: JSON."""
    return f"hg:children:{connection}"


def claim(connection: str, instance_id: int) -> str:
    """Hash beside an observation: when its read was claimed, and who is reading now; see `observations`."""
    return f"hg:flight:{connection}:{instance_id}"


def stops(connection: str, instance_id: int | str) -> str:
    """Hash of the stops that jobs have sent for an instance: "<job name> <sent at ms>" to "1" once it was accepted.

    A field is there before its stop is sent, empty while that has no answer, and gone once it was refused.
    """
    return f"hg:stops:{connection}:{instance_id}"


def replies(process_id: str) -> str:
    """List on which one server process gets the answers to its reads."""
    return f"hg:replies:{process_id}"


def kick(queue: str) -> str:
    """List that wakes a worker of the queue at once."""
    return f"{queue}:kick"


ARQ_JOB: Final = "arq:job:"
"""What the names of `arq_job` begin with."""

ARQ_IN_PROGRESS: Final = "arq:in-progress:"
"""What the names of `arq_in_progress` begin with."""

ARQ_RETRY: Final = "arq:retry:"
"""What the names of `arq_retry` begin with."""


def arq_job(entry_id: str) -> str:
    """ARQ's own key of an entry's definition (arq 0.28)."""
    return f"{ARQ_JOB}{entry_id}"


def arq_in_progress(entry_id: str) -> str:
    """ARQ's own key that marks a running entry (arq 0.28)."""
    return f"{ARQ_IN_PROGRESS}{entry_id}"


def arq_retry(entry_id: str) -> str:
    """ARQ's own key that counts an entry's starts (arq 0.28)."""
    return f"{ARQ_RETRY}{entry_id}"


def job_name(job_id: str) -> str:
    """Resource name of a job."""
    return f"jobs/{job_id}"


def job_id(name: str) -> str:
    """The id in a resource name.

    Raises:
        ValueError: it is not "jobs/{job_id}".
    """
    match = _JOB_NAME.match(name)
    if match is None:
        raise ValueError(f"not the name of a job: {name[:80]!r}")
    return match.group(1)


def text(raw: bytes) -> str:
    """An id that Redis holds, as text. Bytes that are no UTF-8 are escaped: no error, and the id of no job."""
    return raw.decode("utf-8", "backslashreplace")
