"""The token of a plan: what would have happened with each date, so that a submit can insist on it. Pure.

Nothing is kept for it: the token itself says which backfill was planned, what for each date, and until when it holds.
It is no secret and gives no right; its check finds what was cut or mistyped.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headgate import pb

LIFE_MS: Final = 24 * 3600 * 1000
"""How long a token holds: a person may have to approve the plan first."""

_VERSION: Final = 1
_TIME: Final = slice(1, 9)
_DIGEST: Final = slice(9, 25)
_COUNT: Final = slice(25, 27)
_CHECK_BYTES: Final = 8
_LEAST_BYTES: Final = _COUNT.stop + _CHECK_BYTES


class BadPlanToken(ValueError):
    """The text is no token of a plan."""


@dataclass(frozen=True, slots=True)
class PlanToken:
    """What a plan has promised.

    Args:
        expire_ms: until when it holds.
        digest: which backfill was planned.
        actions: what would have happened with each date, oldest first.
    """

    expire_ms: int
    digest: bytes
    actions: tuple[int, ...]


def token_of(spec: pb.BackfillSpec, connection: str, slots: Sequence[pb.PlanSlot], *, now_ms: int) -> PlanToken:
    """The token of a plan that is made now."""
    return PlanToken(now_ms + LIFE_MS, digest_of(spec, connection), tuple(slot.action for slot in slots))


def digest_of(spec: pb.BackfillSpec, connection: str) -> bytes:
    """Digest of a backfill: 16 bytes over all of its spec, and its connection."""
    request = pb.PlanBackfillRequest(spec=spec, connection=connection)
    return hashlib.blake2b(request.SerializeToString(deterministic=True), digest_size=16).digest()


def encode(token: PlanToken) -> str:
    """The token as text: about 500 characters for the most dates that a backfill may have."""
    packed = sum(action << 3 * place for place, action in enumerate(token.actions))
    count = len(token.actions)
    body = (
        _VERSION.to_bytes()
        + token.expire_ms.to_bytes(8)
        + token.digest
        + count.to_bytes(2)
        + packed.to_bytes(_packed_bytes(count))
    )
    return base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")


def decode(text: str) -> PlanToken:
    """The token of a text.

    Raises:
        BadToken: it is none, or was made by another version of headgate.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadPlanToken("is no plan token") from None
    body, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if len(raw) < _LEAST_BYTES or check != _check(body) or body[0] != _VERSION:
        raise BadPlanToken("is no plan token, or was cut")
    count = int.from_bytes(body[_COUNT])
    packed = int.from_bytes(body[_COUNT.stop :])
    actions = tuple(packed >> 3 * place & 7 for place in range(count))
    return PlanToken(int.from_bytes(body[_TIME]), body[_DIGEST], actions)


def _packed_bytes(count: int) -> int:
    return (3 * count + 7) // 8


def _check(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES, person=b"hg-plan").digest()
