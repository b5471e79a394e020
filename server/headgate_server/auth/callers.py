"""Who calls: callers with their rights, and the proofs by which they are known. Pure.

A token is kept as its SHA-256 digest only, and looked up by it, so how long a look takes tells nothing of a token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from headgate import connection_names, entries
from headgate.reasons import Reason

MAX_TOKEN: Final = 512
"""Characters that a token may have; what is longer is none."""

_SCHEME: Final = "bearer "


class Right(Enum):
    """What a caller may do (ADR 0023)."""

    READ = "read"
    """See jobs and instances, without payloads but for those of its own jobs."""
    PLAN = "plan"
    """Have plans made, each of which reads much upstream."""
    PAYLOADS = "payloads"
    """See scripts, parameters and logs of every job and task that it may see."""
    WRITE = "write"
    """Submit and steer. It implies READ and PLAN: a submit answers with its job, and RunJob watches it."""

    def implied(self) -> frozenset[Right]:
        """The right with those that it brings along."""
        return frozenset({Right.WRITE, Right.READ, Right.PLAN}) if self is Right.WRITE else frozenset({self})


@dataclass(frozen=True, slots=True)
class Limits:
    """The shares of one caller. 0 stands for no limit; each counts what one process sees, but for the last two.

    Args:
        calls_per_second: most calls in the long run; a second's worth may come at once.
        max_watches: most open streams, waiting long polls among them.
        max_watched_instances: most instances that its streams watch, each counted once.
        max_open_reads: most reads that wait for workers.
        max_plan_dates: most dates of plans that wait for workers; a plan that is the only one has as many as it likes.
        upstream_reads_per_minute: most calls upstream that its reads and watches ask for; a minute's worth at once.
        max_jobs: most stored jobs, ended ones among them.
        max_stored_bytes: most bytes of stored jobs and their logs.
    """

    calls_per_second: float = 0.0
    max_watches: int = 0
    max_watched_instances: int = 0
    max_open_reads: int = 0
    max_plan_dates: int = 0
    upstream_reads_per_minute: float = 0.0
    max_jobs: int = 0
    max_stored_bytes: int = 0


UNLIMITED: Final = Limits()
"""No limit at all."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who calls.

    Args:
        name: stands in jobs, events and logs.
        rights: what it may do.
        connections: on which connections, "" being the default one; None for all of them.
        limits: its shares of what is scarce.
    """

    name: str
    rights: frozenset[Right]
    connections: frozenset[str] | None = None
    limits: Limits = UNLIMITED

    def may_use(self, connection: str) -> bool:
        """Whether the caller may use a connection."""
        return self.connections is None or connection in self.connections

    def also_by(self, default: str) -> Caller:
        """The same caller, where one of its connections has another name besides, by which it may use it too.

        Args:
            default: the default connection's own name; empty where it has none, or none is known.
        """
        if self.connections is None or not default:
            return self
        return replace(self, connections=connection_names.all_of(self.connections, default))

    @property
    def sees_all(self) -> bool:
        """Whether the caller is shown whatever there is, of every connection."""
        return self.connections is None and Right.PAYLOADS in self.rights

    def may_all_of(self, other: Caller) -> bool:
        """Whether the caller may do at least what another may."""
        wide = self.connections is None or (other.connections is not None and other.connections <= self.connections)
        return wide and other.rights <= self.rights


ANONYMOUS: Final = Caller(entries.ANONYMOUS, frozenset(Right))
"""Everyone, where callers are not told apart: without shares, since one would be the share of all."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller is known by.

    Args:
        key: digest of a token, 32 bytes, or a name in a client certificate.
        caller: whose it is.
        expire_ms: when it ends, ms by the store's clock; None for never.
    """

    key: bytes | str
    caller: Caller
    expire_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Callers:
    """All callers of a deployment, by what they are known by."""

    proofs: Mapping[bytes | str, Proof] = field(default_factory=dict)

    def also_by(self, default: str) -> Callers:
        """The same, with callers who may use the default connection by both of its names; see `Caller.also_by`."""
        callers = {id(proof.caller): proof.caller.also_by(default) for proof in self.proofs.values()}
        return Callers({key: replace(proof, caller=callers[id(proof.caller)]) for key, proof in self.proofs.items()})

    def of_token(self, token: str, now_ms: int) -> Proof | Reason:
        """Whose token it is, or why it is nobody's."""
        digest = digest_of(token)
        proof = self.proofs.get(digest)
        if proof is None or not isinstance(proof.key, bytes) or not hmac.compare_digest(proof.key, digest):
            return Reason.TOKEN_INVALID
        return Reason.TOKEN_EXPIRED if is_over(proof, now_ms) else proof

    def of_certificate(self, names: Iterable[str]) -> Proof | Reason:
        """Who has a certificate with these names. One that names two callers names none."""
        found = [proof for name in names if (proof := self.proofs.get(name)) is not None]
        if not found:
            return Reason.TOKEN_MISSING
        return found[0] if len({proof.caller.name for proof in found}) == 1 else Reason.TOKEN_INVALID

    def of_proof(self, proof: Proof, now_ms: int) -> Proof | Reason:
        """What an earlier proof is worth now."""
        found = self.proofs.get(proof.key)
        if found is None or found.caller.name != proof.caller.name:
            return Reason.TOKEN_INVALID
        if is_over(found, now_ms):
            return Reason.TOKEN_EXPIRED
        return found if found.caller.may_all_of(proof.caller) else Reason.RIGHT_MISSING


def digest_of(token: str) -> bytes:
    """What is kept of a token: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()


def is_over(proof: Proof, now_ms: int) -> bool:
    """Whether a proof has expired."""
    return proof.expire_ms is not None and now_ms >= proof.expire_ms


def token_in(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """The bearer token among a call's metadata: None when there is none, empty when what is there can't be one."""
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        return None
    value = values[0]
    if len(values) > 1 or not isinstance(value, str) or len(value) > len(_SCHEME) + MAX_TOKEN:
        return ""
    token = value[len(_SCHEME) :].strip()
    return token if value[: len(_SCHEME)].lower() == _SCHEME and token.isascii() else ""
