"""The lease of a job: the scripts by which a tick takes it, keeps it and gives it back.

Each begins its writes with one that takes something away, so that a store without memory does not refuse the others;
see `headgate.store.reserve`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from headgate.scripts import loader
from headgate.store import keys


class BeginKeys(NamedTuple):
    """KEYS of `begin.lua`."""

    job: str
    due: str
    log: str


class BeginArguments(NamedTuple):
    """ARGV of `begin.lua`.

    Args:
        job_id: which job.
        lease_ms: for how long it is taken.
        grace_ms: how long after the lease the reaper schedules another tick.
        caution_ms: how long the lease that it has is given beyond its end.
    """

    job_id: str
    lease_ms: int
    grace_ms: int
    caution_ms: int


class BeginAnswer(IntEnum):
    """Codes of `begin.lua`."""

    GONE = 0
    TAKEN = 1
    BUSY = 2


BEGIN_SCRIPT: Final = loader.load("begin", BeginKeys, BeginArguments, answers=BeginAnswer)
"""Takes a job for one tick."""


class RenewLeaseKeys(NamedTuple):
    """KEYS of `renew.lua`."""

    job: str
    due: str


class RenewLeaseArguments(NamedTuple):
    """ARGV of `renew.lua`; times as those of `BeginArguments`."""

    job_id: str
    fence: int
    lease_ms: int
    grace_ms: int


class RenewLeaseAnswer(IntEnum):
    """Codes of `renew.lua`."""

    FENCED = 0
    RENEWED = 1


RENEW_SCRIPT: Final = loader.load("renew", RenewLeaseKeys, RenewLeaseArguments, answers=RenewLeaseAnswer)
"""Keeps a job for another lease."""


class ReleaseKeys(NamedTuple):
    """KEYS of `release.lua`."""

    job: str


class ReleaseArguments(NamedTuple):
    """ARGV of `release.lua`: the fence, and 1 to take the counted attempt back."""

    fence: int
    uncount: int


class ReleaseAnswer(IntEnum):
    """Codes of `release.lua`."""

    FENCED = 0
    RELEASED = 1


RELEASE_SCRIPT: Final = loader.load("release", ReleaseKeys, ReleaseArguments, answers=ReleaseAnswer)
"""Gives a job back before its tick is over."""


class GiveUpKeys(NamedTuple):
    """KEYS of `give_up.lua`."""

    job: str
    due: str
    queue: str
    damaged: str


class GiveUpArguments(NamedTuple):
    """ARGV of `give_up.lua`: the fence is empty where the job has none that can be read."""

    job_id: str
    fence: int | str


class GiveUpAnswer(IntEnum):
    """Codes of `give_up.lua`."""

    FENCED = 0
    GIVEN_UP = 1


GIVE_UP_SCRIPT: Final = loader.load(
    "give_up", GiveUpKeys, GiveUpArguments, answers=GiveUpAnswer, constants={"ARQ_JOB": keys.ARQ_JOB}
)
"""Takes a job that can't be read out of all that would have it looked at again, and marks it."""
