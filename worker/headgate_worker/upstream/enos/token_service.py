"""Ask the gateway's token service for an access token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.enos import errors
from headgate_worker.upstream.enos.loose import text, whole
from headgate_worker.upstream.enos.replies import decode
from headgate_worker.upstream.enos.settings import EnosSettings
from headgate_worker.upstream.enos.signing import encryption
from headgate_worker.upstream.enos.tokens import AccessToken, TokenUnavailable
from headgate_worker.upstream.http.connections import HttpConnections, HttpReply, Progress, ReplyTooLarge

PATH: Final = "/apim-token-service/v2.0/token"
SECONDS: Final = 10.0
"""Longest time of one request, in seconds; calls that wait for it have deadlines of their own."""

REPLAYED: Final = 1001
"""Another worker used the same key in the same millisecond."""

TRIES: Final = 3


class TokenService:
    """The token service of one gateway.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, settings: EnosSettings, connections: HttpConnections, *, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._connections = connections
        self._clock = clock
        self._last_ms = 0

    async def fetch(self, replacing: str) -> AccessToken:
        """A token, or the one that replaces another.

        Raises:
            TokenUnavailable: there is none to be had.
        """
        for _ in range(TRIES):
            answer = await self._send(replacing)
            body = decode(answer.body)
            error = errors.envelope(body)
            if error is None or error.code != REPLAYED:
                return _token(answer, body, error)
        raise TokenUnavailable("the token service takes every request for a repeated one", final=False)

    async def _send(self, replacing: str) -> HttpReply:
        at_ms = self._fresh_ms()
        body: dict[str, Any] = {
            "appKey": self._settings.app_key,
            "encryption": encryption(self._settings.app_key, at_ms, self._settings.app_secret),
            "timestamp": at_ms,
        }
        if replacing:
            body["accessToken"] = replacing
        target = f"{PATH}/{'refresh' if replacing else 'get'}"
        headers = {"Content-Type": "application/json;charset=UTF-8"}
        try:
            async with asyncio.timeout(SECONDS):
                text_ = json.dumps(body)
                return await self._connections.send("POST", target, headers, text_, alone=False, progress=Progress())
        except (aiohttp.ClientError, OSError, ReplyTooLarge) as error:
            raise TokenUnavailable(f"the token service gave no reply ({type(error).__name__})", final=False) from error

    def _fresh_ms(self) -> int:
        """The present time, never the same twice: a proof is accepted once."""
        self._last_ms = max(int(self._clock() * 1000), self._last_ms + 1)
        return self._last_ms


def _token(answer: HttpReply, body: Any, error: errors.EnosEnvelope | None) -> AccessToken:
    if error is None:
        raise TokenUnavailable(f"the token service answered HTTP {answer.status} and no token", final=False)
    if error.code != errors.OK:
        final = errors.KINDS.get(error.code) in (FailureKind.DENIED, FailureKind.REFUSED)
        raise TokenUnavailable(f"the token service refused: {error.code} {error.message}", final=final)
    data = body.get("data")
    found = text(data, "accessToken") if isinstance(data, dict) else ""
    if not found or not found.isascii() or not found.isprintable():
        raise TokenUnavailable("the token service's reply has no token", final=False)
    return AccessToken(found, float(whole(data, "expire")))
