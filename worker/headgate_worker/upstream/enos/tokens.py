"""Hold the access token: one fetch at a time serves all calls, and no call's deadline ends it.

The token service gives the same token again until it ends, with the seconds that it has left. So a new one is
fetched when the time is over, or when the gateway says that it does not know the token any more. Only if the service
then still gives the rejected one, it is asked to replace it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from headgate_worker.upstream.http.failures import SecretUnavailable

_log = logging.getLogger(__name__)

EARLY_SECONDS: Final = 2.0
"""A token counts as over this long before its end, so that it does not end on the way."""

PAUSE_SECONDS: Final = 1.0
"""Shortest time between a failed fetch and the next one."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, never shown by repr, and how many seconds it has left."""

    text: str = field(repr=False)
    seconds: float


class TokenUnavailable(SecretUnavailable):
    """No token is to be had."""


Fetch = Callable[[str], Awaitable[AccessToken]]
"""Brings a token; asked to replace the one given, if that is not empty. Raises TokenUnavailable."""


class TokenCache:
    """The token that is held, and the one fetch that may be under way."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: AccessToken | None = None
        self._ends = 0.0
        self._refused: TokenUnavailable | None = None
        self._not_before = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def current(self) -> str:
        """A token to sign with.

        Raises:
            TokenUnavailable: there is none.
        """
        if self._held is None or self._clock() >= self._ends:
            await self._fetched("")
        return self._token()

    async def renew(self, rejected: str) -> str:
        """Another token than `rejected`; `rejected` again if there is no other.

        Raises:
            TokenUnavailable: there is none.
        """
        if self._held is not None and self._held.text != rejected:
            return self._held.text
        await self._fetched(rejected)
        return self._token()

    async def aclose(self) -> None:
        """Give up a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _token(self) -> str:
        if self._held is not None:
            return self._held.text
        raise self._refused or TokenUnavailable("none was ever fetched", final=False)

    async def _fetched(self, rejected: str) -> None:
        running = self._fetching is not None and not self._fetching.done()
        if not running and self._clock() < self._not_before:
            return
        if self._fetching is None or not running:
            self._fetching = asyncio.create_task(self._bring(rejected), name="enos-token")
        await asyncio.shield(self._fetching)

    async def _bring(self, rejected: str) -> None:
        try:
            found = await self._fetch("")
            if rejected and found.text == rejected:
                found = await self._fetch(rejected)
        except TokenUnavailable as error:
            self._held, self._refused = None, error
            self._not_before = self._clock() + PAUSE_SECONDS
            _log.warning("no access token: %s", error)
            return
        self._held = found
        self._ends = self._clock() + max(0.0, found.seconds - EARLY_SECONDS)
