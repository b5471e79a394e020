"""What stored jobs are charged to: the caller who made them and the connection they are for, in jobs and in bytes.

The commit that accepts a job takes its charge or refuses, before anything is written. What the log has grown by since
is added by every commit of a caller and by the one that ends the job, so that ticks in between cost nothing. The job's
hash keeps what it was charged, and its deletion gives back exactly that; a job without a charge, of a version before
this, gives nothing back. Deletions by such a version give nothing back either, so workers count everything anew now
and then, a few jobs at a time, while charges go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from headgate.scripts import loader

RECOUNT_EVERY_MS: Final = 3_600_000
"""How long after one count of everything the next one begins."""

JOBS: Final = "stored_jobs"
"""Name of the quota of jobs."""

BYTES: Final = "stored_bytes"
"""Name of the quota of bytes."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How much may be stored. 0 stands for no limit.

    Args:
        caller_jobs: jobs of one caller.
        caller_bytes: bytes of their logs and states.
        connection_jobs: jobs of one connection, of all callers together.
        connection_bytes: bytes of those.
    """

    caller_jobs: int = 0
    caller_bytes: int = 0
    connection_jobs: int = 0
    connection_bytes: int = 0

    def arguments(self) -> tuple[int, int, int, int]:
        """In the order of the fields that `FIELDS` names."""
        return self.caller_jobs, self.caller_bytes, self.connection_jobs, self.connection_bytes


NO_LIMITS: Final = Shares()
"""Charge the job, and refuse nothing."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A bound is reached; nothing was written.

    Args:
        quota: its name, such as "stored_jobs" or "log_events".
        limit: its value.
        subject: whose it is: "caller:NAME", "connection:NAME", or empty for the job's own.
    """

    quota: str
    limit: int
    subject: str = ""


def parse_exceeded(raw: bytes) -> Exceeded:
    """A bound as the commit script answers it: name, value and whose it is."""
    quota, limit, subject = raw.decode().split(" ", 2)
    return Exceeded(quota, int(limit), subject)


class RecountKeys(NamedTuple):
    """KEYS of `recount.lua`."""

    jobs: str
    stored: str
    recount: str
    recounted: str


class RecountArguments(NamedTuple):
    """ARGV of `recount.lua`: how many jobs at most, what their keys begin with, ms until the next count of all."""

    most: int
    job_prefix: str
    every_ms: int


class RecountAnswer(IntEnum):
    """Codes of `recount.lua`: whether there are more jobs to count."""

    DONE = 0
    MORE = 1


RECOUNT_SCRIPT: Final = loader.load("recount", RecountKeys, RecountArguments, answers=RecountAnswer)
"""Counts the charges of the next jobs, and puts the counts in place when there are no more."""
