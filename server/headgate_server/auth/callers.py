"""Who calls: callers with their rights, and the proofs by which they are known. Pure.

A token is kept as its SHA-256 digest only, and looked up by it, so the time of a lookup
reveals nothing of a token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from headgate.process.caller_rules import MAX_TOKEN
from headgate.reasons import Reason
from headgate_server.ports.caller import Caller

_SCHEME: Final = "bearer "


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
        """The proof of a token's caller, or why there is none."""
        digest = digest_of(token)
        proof = self.proofs.get(digest)
        if proof is None or not isinstance(proof.key, bytes) or not hmac.compare_digest(proof.key, digest):
            return Reason.TOKEN_INVALID
        return Reason.TOKEN_EXPIRED if is_over(proof, now_ms) else proof

    def of_certificate(self, names: Iterable[str]) -> Proof | Reason:
        """The proof of a certificate's caller, or why there is none. A certificate that names two callers has none."""
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
