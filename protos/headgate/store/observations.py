"""Observations that all share: one read of an instance serves every job, every caller and every worker. Scripts.

A read is claimed before it is sent, for a short lease, and its answer is published with the time of the claim: it shows
the instance as it was then or later. A reader that needs it as it was at some time, or later, takes an answer that
was claimed no earlier, or waits for the read that is under way, or claims the next. A holder that dies costs its lease.

Scripts that a store without memory must not refuse begin their writes with one that takes something away; see
`headgate.store.reserve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from headgate.scripts import loader

TTL_MS: Final = 24 * 3600 * 1000
"""How long an observation is kept: the API's longest max_staleness."""

LEASE_MS: Final = 3_000
"""How long a claim holds others back. A read that takes longer goes on, and another one may go out too."""

CLAIM_TTL_MS: Final = 3_600_000
"""How long it is remembered when an observation was claimed; one that is older serves no job any more."""


class ClaimReadKeys(NamedTuple):
    """KEYS of `claim_observation.lua`."""

    claim: str
    observation: str


class ClaimReadArguments(NamedTuple):
    """ARGV of `claim_observation.lua`.

    Args:
        since_ms: the observation must be claimed no earlier; empty for now.
        token: what the claim is known by.
        lease_ms: for how long it holds others back.
        claim_ttl_ms: how long it is remembered.
    """

    since_ms: int | str
    token: str
    lease_ms: int
    claim_ttl_ms: int


class ClaimReadAnswer(IntEnum):
    """Codes of `claim_observation.lua`: what `KeptObservation`, `ReadElsewhere` and `ReadClaimed` say."""

    SEEN = 1
    ELSEWHERE = 2
    CLAIMED = 3


CLAIM_SCRIPT: Final = loader.load("claim_observation", ClaimReadKeys, ClaimReadArguments, answers=ClaimReadAnswer)
"""Takes an observation that is fresh enough, or claims the read of a new one."""


class PublishKeys(NamedTuple):
    """KEYS of `publish_observation.lua`."""

    claim: str
    observation: str
    look: str


class PublishArguments(NamedTuple):
    """ARGV of `publish_observation.lua`.

    Args:
        token: of the claim; empty for a read without one.
        claimed_at: when it was claimed, in ms.
        answer: what was read.
        answer_ttl_ms: how long that is kept.
        claim_ttl_ms: how long it is remembered when it was claimed.
        follow_ms: for how long the next read is left to a job; 0 for none.
        follower: what says so.
    """

    token: str
    claimed_at: int
    answer: bytes
    answer_ttl_ms: int
    claim_ttl_ms: int
    follow_ms: int
    follower: bytes


PUBLISH_SCRIPT: Final = loader.load("publish_observation", PublishKeys, PublishArguments)
"""Keeps an answer, unless a later one is there, and ends the claim that it was read under."""


class AbandonKeys(NamedTuple):
    """KEYS of `abandon_observation.lua`."""

    claim: str


class AbandonArguments(NamedTuple):
    """ARGV of `abandon_observation.lua`."""

    token: str


ABANDON_SCRIPT: Final = loader.load("abandon_observation", AbandonKeys, AbandonArguments)
"""Ends a claim without an answer."""


@dataclass(frozen=True, slots=True)
class KeptObservation:
    """An observation that is fresh enough: claimed at `at_ms`."""

    at_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ReadElsewhere:
    """Another read is under way, for `for_ms` at most before others may. Ask again with `since_ms`."""

    since_ms: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class ReadClaimed:
    """The caller is to read now, and to publish or abandon what comes of it."""

    at_ms: int


def parse_claim(raw: Sequence[int | bytes]) -> KeptObservation | ReadElsewhere | ReadClaimed:
    """What CLAIM_SCRIPT answered."""
    code, first, second = raw
    if code == ClaimReadAnswer.SEEN:
        assert isinstance(second, bytes)  # noqa: S101  # the script's contract
        return KeptObservation(int(first), second)
    return ReadElsewhere(int(first), int(second)) if code == ClaimReadAnswer.ELSEWHERE else ReadClaimed(int(second))
