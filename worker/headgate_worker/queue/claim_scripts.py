"""The scripts by which a lane's claims on ARQ entries begin, are renewed and end. The same keys mean what arq means."""

from __future__ import annotations

from typing import Final, NamedTuple

from headgate.scripts import loader
from headgate.store import keys

PACKAGE: Final = "headgate_worker.scripts"
"""Where the scripts of a worker are."""

CLAIM_CONSTANTS: Final[dict[str, loader.Constant]] = {
    "ARQ_JOB": keys.ARQ_JOB,
    "ARQ_IN_PROGRESS": keys.ARQ_IN_PROGRESS,
}
"""What the scripts that claim entries must be given."""


class ClaimEntriesKeys(NamedTuple):
    """KEYS of `claim_entries.lua` and of `claim_shared_entries.lua`."""

    queue: str
    kick: str


class ClaimEntriesArguments(NamedTuple):
    """ARGV of `claim_entries.lua`: entries at most, life and owner of a claim; then ids that are left to others."""

    most: int
    lease_ms: int
    owner: str


CLAIM: Final = loader.load(
    "claim_entries", ClaimEntriesKeys, ClaimEntriesArguments, constants=CLAIM_CONSTANTS, package=PACKAGE
)
"""Claims due entries. Answers ids with definitions, and the ms until the next entry is due (-1: none)."""


class QueueKeys(NamedTuple):
    """KEYS of `renew_claims.lua` and of `end_claims.lua`."""

    queue: str


class RenewClaimsArguments(NamedTuple):
    """ARGV of `renew_claims.lua`; then come the ids of the entries."""

    lease_ms: int
    owner: str


RENEW: Final = loader.load(
    "renew_claims",
    QueueKeys,
    RenewClaimsArguments,
    constants={"ARQ_IN_PROGRESS": keys.ARQ_IN_PROGRESS},
    package=PACKAGE,
)
"""Renews leases. Answers the ids that another owner has claimed."""


class EndArguments(NamedTuple):
    """ARGV of `end_claims.lua`; then of each entry its id and the ms until it is due again, '' when it is done."""

    owner: str


FINISH: Final = loader.load(
    "end_claims",
    QueueKeys,
    EndArguments,
    constants={**CLAIM_CONSTANTS, "ARQ_RETRY": keys.ARQ_RETRY},
    package=PACKAGE,
)
"""Ends claims, those that are still the owner's."""
