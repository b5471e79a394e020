"""The token service: gives tokens to apps that know their secret, and knows which tokens still hold."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate_emulator.enos import errors
from headgate_emulator.enos.errors import EnosError
from headgate_emulator.enos.signing import encryption, signature

TOLERANCE_MS = 900_000
"""How far a caller's clock may be off. Assumed: no page says."""

MAX_PROOFS = 100_000


@dataclass(frozen=True, slots=True)
class Token:
    """A token and when it ends, in virtual ms."""

    text: str
    app_key: str
    ends_ms: int


@dataclass(frozen=True, slots=True)
class Signed:
    """The parts of a call that its signature covers, and the signature."""

    token: str
    timestamp: str
    signature: str
    query: Mapping[str, str]
    body: str


class TokenDesk:
    """One token per app at a time.

    Args:
        secrets: app keys and their secrets.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets
        self._tokens: dict[str, Token] = {}
        self._proofs: dict[str, None] = {}
        self.issued = 0

    def get(self, body: Mapping[str, Any], *, now_ms: int, wall_ms: int, seconds: int) -> dict[str, Any]:
        """The app's token; asking again before its end gives the same one. Raises EnosError."""
        app_key = self._proven(body, wall_ms)
        held = self._tokens.get(app_key)
        if held is None or held.ends_ms <= now_ms:
            held = self._issue(app_key, now_ms, seconds)
        return _data(held, now_ms)

    def refresh(self, body: Mapping[str, Any], *, now_ms: int, wall_ms: int, seconds: int) -> dict[str, Any]:
        """A new token for the one that is given, which ends at once. Raises EnosError."""
        app_key = self._proven(body, wall_ms)
        held = self._tokens.get(app_key)
        if held is None or held.text != body.get("accessToken"):
            raise EnosError(errors.REFRESH_FAILED, "refresh token failed")
        return _data(self._issue(app_key, now_ms, seconds), now_ms)

    def check(self, call: Signed, *, now_ms: int, wall_ms: int, stale_as_apim: bool) -> str:
        """The app that made a call. Raises EnosError."""
        if not (call.token and call.timestamp and call.signature):
            raise EnosError(errors.EMPTY_PARAMETER, "apim-accesstoken, apim-timestamp and apim-signature are needed")
        held = next((one for one in self._tokens.values() if one.text == call.token), None)
        if held is None or held.ends_ms <= now_ms:
            code = errors.TOKEN_STALE if stale_as_apim else errors.TOKEN_EXPIRED
            raise EnosError(code, "token is expired", apim=stale_as_apim)
        _check_time(call.timestamp, wall_ms)
        expected = signature(call.token, call.query, call.body, call.timestamp, self._secrets[held.app_key])
        if not hmac.compare_digest(expected, call.signature):
            raise EnosError(errors.BAD_PROOF, "signature does not match")
        return held.app_key

    def expire(self) -> None:
        """End every token now."""
        self._tokens.clear()

    def _issue(self, app_key: str, now_ms: int, seconds: int) -> Token:
        self.issued += 1
        text = f"{app_key}-token-{self.issued}"
        self._tokens[app_key] = Token(text, app_key, now_ms + seconds * 1000)
        return self._tokens[app_key]

    def _proven(self, body: Mapping[str, Any], wall_ms: int) -> str:
        app_key, proof, timestamp = body.get("appKey"), body.get("encryption"), body.get("timestamp")
        if not isinstance(app_key, str) or not isinstance(proof, str) or not isinstance(timestamp, int):
            raise EnosError(errors.BAD_PARAMETER, "appKey, encryption and timestamp are needed")
        if app_key not in self._secrets:
            raise EnosError(errors.UNKNOWN_APP, "unknown appKey")
        _check_time(str(timestamp), wall_ms)
        if not hmac.compare_digest(encryption(app_key, str(timestamp), self._secrets[app_key]), proof):
            raise EnosError(errors.BAD_PROOF, "encryption does not match")
        self._use(proof)
        return app_key

    def _use(self, proof: str) -> None:
        if proof in self._proofs:
            raise EnosError(errors.REPLAYED, "encryption was used before")
        self._proofs[proof] = None
        if len(self._proofs) > MAX_PROOFS:
            del self._proofs[next(iter(self._proofs))]


def _check_time(timestamp: str, wall_ms: int) -> None:
    if not timestamp.isdecimal() or abs(int(timestamp) - wall_ms) > TOLERANCE_MS:
        raise EnosError(errors.BAD_PARAMETER, "timestamp is not the present time in ms")


def _data(token: Token, now_ms: int) -> dict[str, Any]:
    return {"accessToken": token.text, "expire": (token.ends_ms - now_ms) // 1000}
