"""The HTTP connections to one endpoint: a pool for calls that may be repeated, fresh ones for those that may not.

A pooled connection may have been closed by the server a moment ago; a request on it is then lost without a word
whether it was executed. That is harmless for reads, starts and stops, and would leave a create ambiguous: it goes
out on a connection of its own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Protocol

import aiohttp
from yarl import URL


class Bounds(Protocol):
    """What connections are told; the adapters' settings have these members and explain them."""

    @property
    def ca_file(self) -> Path | None:
        """PEM file of authorities to trust instead of the system's."""

    @property
    def max_connections(self) -> int:
        """Sockets at most, to each of the two pools."""

    @property
    def max_reply_bytes(self) -> int:
        """Longest reply body that is read, counted after decompression."""

    @property
    def connect_timeout_seconds(self) -> float:
        """Most that TCP connect and TLS handshake may take."""

    @property
    def keepalive_seconds(self) -> float:
        """How long an idle connection is kept."""


class Stage(Enum):
    """How far an attempt has come. Before SENT nothing has left this machine but a handshake."""

    CREDENTIALS = "credentials"
    CONNECTING = "connecting"
    SENT = "sent"


@dataclass(slots=True)
class Progress:
    """How far one attempt has come; changed as it goes, to be read when it fails."""

    stage: Stage = Stage.CREDENTIALS


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP reply, read to its end.

    Args:
        media_type: content type without parameters, lower case.
        retry_after: the header that asks to wait; None when absent.
        request_id: the header with upstream's id of the request; empty when absent.
    """

    status: int
    media_type: str
    retry_after: str | None
    request_id: str
    body: bytes


class ReplyTooLarge(Exception):
    """The reply's body is longer than allowed; the rest was not read."""


class SentTwice(aiohttp.ClientConnectionError):
    """aiohttp was about to send a request again after a disconnect."""


OPENING: Final = 4
"""Connections that are opened side by side: TLS handshakes that come due in one turn of the loop are done in one go."""


class _FewAtOnce(aiohttp.TCPConnector):
    """Opens `OPENING` connections at a time, so that a burst of calls does not hold up the event loop."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._opening = asyncio.Semaphore(OPENING)

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # as in the base class
    ) -> Any:
        async with self._opening:
            return await super()._create_connection(req, traces, timeout)


class Connections:
    """Two sessions, one keeping its connections and one not. Neither follows redirects, proxies or cookies.

    Args:
        settings: bounds.
        tls: what to trust; None for http.
        retry_after: name of the header that asks to wait.
        request_id: name of the header with upstream's id of a request.
    """

    def __init__(
        self,
        settings: Bounds,
        tls: ssl.SSLContext | None,
        *,
        retry_after: str = "retry-after",
        request_id: str = "x-request-id",
    ) -> None:
        self._most = settings.max_reply_bytes
        self._headers = (retry_after, request_id)
        patience = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_seconds)
        trust: dict[str, Any] = {} if tls is None else {"ssl": tls}
        limit = settings.max_connections
        kept = _FewAtOnce(limit=limit, keepalive_timeout=settings.keepalive_seconds, **trust)
        self._kept = _session(kept, patience)
        self._fresh = _session(_FewAtOnce(limit=limit, force_close=True, **trust), patience)

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: str, *, alone: bool, progress: Progress
    ) -> Answer:
        """Send one request once and read its reply. `alone` asks for a connection that was never used before.

        Raises:
            aiohttp.ClientError, OSError: no reply; `progress` tells whether the request may have arrived.
            ReplyTooLarge: see there.
        """
        progress.stage = Stage.CONNECTING
        session = self._fresh if alone else self._kept
        request = session.request(
            method, url, headers=headers, data=body.encode() if body else None, allow_redirects=False,
            trace_request_ctx=progress,
        )  # fmt: skip
        async with request as response:
            received = await self._read(response)
            return Answer(
                response.status,
                response.content_type.lower(),
                response.headers.get(self._headers[0]),
                response.headers.get(self._headers[1], ""),
                received,
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, counted as it comes out of decompression, which hands over small pieces."""
        pieces: list[bytes] = []
        length = 0
        async for piece in response.content.iter_any():
            length += len(piece)
            if length > self._most:
                response.close()
                raise ReplyTooLarge
            pieces.append(piece)
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._kept.close()
        await self._fresh.close()


def _session(connector: aiohttp.TCPConnector, patience: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    once = aiohttp.TraceConfig()
    once.on_request_headers_sent.append(_leaving)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=patience,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[once],
    )


async def _leaving(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    """Note that a request is about to leave, and let it leave only once.

    aiohttp sends a GET again when a kept connection turns out to be dead, nonce and all (measured), and has no public
    switch against it. This runs before the first byte of each attempt is written.
    """
    progress: Progress = context.trace_request_ctx
    if progress.stage is Stage.SENT:
        raise SentTwice("the connection was closed, and the request is not sent twice")
    progress.stage = Stage.SENT


async def tls_context(scheme: str, settings: Bounds) -> ssl.SSLContext | None:
    """What to trust, None for http. Reading the authorities takes tens of milliseconds, so a thread does it.

    Raises:
        OSError: the file of authorities can't be read.
    """
    if scheme == "http":
        return None
    return await asyncio.to_thread(ssl.create_default_context, cafile=settings.ca_file)
