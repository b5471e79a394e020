"""Late ticks: the scripts by which a reaper finds jobs whose next look is overdue, and requeues them."""

from __future__ import annotations

from typing import Final, NamedTuple

from headgate.scripts import loader
from headgate.store import keys


class ReapKeys(NamedTuple):
    """KEYS of `reap.lua`."""

    due: str
    queue: str
    damaged: str


class ReapArguments(NamedTuple):
    """ARGV of `reap.lua`: how many jobs at most, the grace that each gets, and what the keys of jobs begin with."""

    most: int
    grace_ms: int
    job_prefix: str


REAP_SCRIPT: Final = loader.load("reap", ReapKeys, ReapArguments)
"""Finds jobs whose tick is late and grants each a new grace."""


class RequeueKeys(NamedTuple):
    """KEYS of `requeue.lua`."""

    queue: str
    kick: str


class RequeueArguments(NamedTuple):
    """ARGV of `requeue.lua`; then come job id, entry id and definition of each job."""

    job_prefix: str
    definition_ttl_ms: int
    due_at: int


REQUEUE_SCRIPT: Final = loader.load("requeue", RequeueKeys, RequeueArguments, constants={"ARQ_JOB": keys.ARQ_JOB})
"""Gives jobs whose next entry is gone another one."""
