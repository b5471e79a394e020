"""Hold credentials ready, so that no call waits for them and no refresh stops the event loop.

The SDK's own cache takes a thread lock in a coroutine: two calls that met a stale key stopped the loop for five
seconds (measured, alibabacloud_credentials 1.0.12). Here at most one refresh runs, in a thread; calls get the key pair
that is held. There is no background loop: a call that meets an ageing key starts the refresh and does not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from alibabacloud_credentials.provider import DefaultCredentialsProvider

from headgate_worker.upstream.dataworks.settings import Credentials
from headgate_worker.upstream.http.failures import SecretUnavailable

RENEW_SECONDS = 60.0
"""Age from which a key is asked for again. The chain renews it 15 minutes before its end, but does not say when."""

STALE_SECONDS = 600.0
"""Age from which a call waits for the refresh: the process may have slept."""

PAUSE_SECONDS = 5.0
"""Shortest time between a failed refresh and the next one."""

logger = logging.getLogger(__name__)

Fetch = Callable[[bool], Credentials]
"""Brings credentials, blocking; with True it must not answer from a cache. Raises whatever it likes."""


class CredentialsUnavailable(SecretUnavailable):
    """There are no credentials to be had; the message says why, without secrets."""


class CredentialCache:
    """The credentials that are held, and the one refresh that may be under way."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: Credentials | None = None
        self._fetched = 0.0
        self._not_before = 0.0
        self._refused = "they were never asked for"
        self._refresh: asyncio.Task[Credentials | None] | None = None

    async def current(self) -> Credentials:
        """Credentials to sign with. Waits only when none are held or those held are stale.

        Raises:
            CredentialsUnavailable: none are held and none are to be had.
        """
        age = self._clock() - self._fetched
        if self._held is None or age >= STALE_SECONDS:
            return await self._refreshed(anew=False)
        if age >= RENEW_SECONDS and self._clock() >= self._not_before:
            self._begin(anew=False)
        return self._held

    async def renew(self, rejected: Credentials) -> Credentials:
        """Other credentials than `rejected`, if there are any by now; `rejected` again if not."""
        if self._held is not None and self._held != rejected:
            return self._held
        return await self._refreshed(anew=True)

    async def aclose(self) -> None:
        """Give up a refresh that is under way. Its thread ends by itself, when the SDK's own timeouts do."""
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait([self._refresh])

    async def _refreshed(self, *, anew: bool) -> Credentials:
        if self._running() or anew or self._clock() >= self._not_before:
            # Shielded: the refresh serves every call, so no single call's deadline may end it.
            await asyncio.shield(self._begin(anew=anew))
        if self._held is None:
            raise CredentialsUnavailable(self._refused)
        return self._held

    def _running(self) -> bool:
        return self._refresh is not None and not self._refresh.done()

    def _begin(self, *, anew: bool) -> asyncio.Task[Credentials | None]:
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._bring(anew), name="dataworks-credentials")
        return self._refresh

    async def _bring(self, anew: bool) -> Credentials | None:
        try:
            self._held = await asyncio.to_thread(self._fetch, anew)
        except Exception as error:  # the SDK's providers let any exception out, a KeyError of a reply included
            self._refused = f"no provider gave credentials ({type(error).__name__})"
            self._not_before = self._clock() + PAUSE_SECONDS
            # The SDK's message may quote a metadata reply, keys and all, so only its class is shown.
            logger.warning("credentials could not be refreshed: %s", type(error).__name__)
            return None
        self._fetched = self._clock()
        return self._held


def static(credentials: Credentials) -> Fetch:
    """Always the same key pair."""
    return lambda anew: credentials


class DefaultChain:
    """Alibaba's default chain: environment, OIDC role, CLI and shared profiles, ECS role, credentials URI.

    Called only from one thread at a time, by `CredentialCache`.
    """

    def __init__(self, make_provider: Callable[[], Any] = DefaultCredentialsProvider) -> None:
        self._make_provider = make_provider
        self._provider: Any = None

    def __call__(self, anew: bool) -> Credentials:
        """Ask the chain. A new chain has no cached key, so one is made where the old key was rejected."""
        if self._provider is None or anew:
            self._provider = self._make_provider()
        found = self._provider.get_credentials()
        return Credentials(
            access_key_id=found.get_access_key_id(),
            access_key_secret=found.get_access_key_secret(),
            security_token=found.get_security_token() or "",
            provider=found.get_provider_name() or "default",
        )
