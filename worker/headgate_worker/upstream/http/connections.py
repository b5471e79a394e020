"""The HTTP connections to one endpoint: a pool for calls that may be repeated, fresh ones for those that may not.

A pooled connection may have been closed by the server a moment ago; a request on it is then lost without a word
whether it was executed. That is harmless for reads, starts and stops, and would leave a create ambiguous: it goes
out on a connection of its own.

Of aiohttp the connector and the protocol with its parser are used, and not the session: it would follow redirects,
keep cookies and send a GET again that was lost on a dead connection, nonce and all (measured). Here is nothing that
could send a request twice; and a session, a request and a response for each call cost more than all of the rest.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from headgate_worker.upstream.http.bounds import HttpBounds
from headgate_worker.upstream.http.handler import MAX_INTERIM, BoundedHandler


class RequestStage(Enum):
    """How far an attempt has come. Before SENT nothing has left this machine but a handshake."""

    CREDENTIALS = "credentials"
    CONNECTING = "connecting"
    SENT = "sent"


@dataclass(slots=True)
class Progress:
    """How far one attempt has come; changed as it goes, to be read when it fails."""

    stage: RequestStage = RequestStage.CREDENTIALS


@dataclass(frozen=True, slots=True)
class HttpReply:
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


OPENING: Final = 4
"""Connections that are opened side by side: TLS handshakes that come due in one turn of the loop are done in one go."""


def _handler(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return BoundedHandler(loop)


class _FewAtOnce(aiohttp.TCPConnector):
    """Opens `OPENING` connections at a time, so that a burst of calls does not hold up the event loop."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_handler, loop=self._loop)
        self._opening = asyncio.Semaphore(OPENING)

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # as in the base class
    ) -> Any:
        async with self._opening:
            return await super()._create_connection(req, traces, timeout)


class HttpConnections:
    """Two pools, one keeping its connections and one not. Neither knows redirects, proxies or cookies.

    Args:
        settings: bounds.
        origin: scheme, host and port of the endpoint.
        tls: what to trust; None for http.
        retry_after: name of the header that asks to wait.
        request_id: name of the header with upstream's id of a request.
    """

    def __init__(
        self,
        settings: HttpBounds,
        origin: URL,
        tls: ssl.SSLContext | None,
        *,
        retry_after: str = "retry-after",
        request_id: str = "x-request-id",
    ) -> None:
        self._most = settings.max_reply_bytes
        self._names = (retry_after, request_id)
        self._defaults = {"host": origin.host_port_subcomponent or "", **_DEFAULTS}
        self._place = aiohttp.ClientRequest("GET", origin, loop=asyncio.get_running_loop())
        self._patience = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_seconds)
        trust: dict[str, Any] = {} if tls is None else {"ssl": tls}
        limit = settings.max_connections
        self._kept = _FewAtOnce(limit=limit, keepalive_timeout=settings.keepalive_seconds, **trust)
        self._fresh = _FewAtOnce(limit=limit, force_close=True, **trust)

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: str, *, alone: bool, progress: Progress
    ) -> HttpReply:
        """Send one request once and read its reply. `alone` asks for a connection that was never used before.

        `target` is path and query, sent as it is, so already percent-encoded. What `headers` say, in lower case, goes
        before `_DEFAULTS`; lengths and such are added here.

        Raises:
            aiohttp.ClientError, OSError: no reply; `progress` has whether the request may have arrived.
            ReplyTooLarge: see there.
            ValueError: a header can't be sent.
        """
        progress.stage = RequestStage.CONNECTING
        request = _written(method, target, {**self._defaults, **headers}, body, alone=alone)
        pool = self._fresh if alone else self._kept
        connection = await pool.connect(self._place, [], self._patience)
        try:
            answer = await self._converse(connection.protocol, request, progress)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return answer

    async def reach(self) -> None:
        """Open a connection as a call on its own would, and close it.

        Raises:
            aiohttp.ClientError, OSError: none can be had.
        """
        connection = await self._fresh.connect(self._place, [], self._patience)
        connection.close()

    async def _converse(self, protocol: ResponseHandler | None, request: bytes, progress: Progress) -> HttpReply:
        transport = protocol.transport if protocol is not None else None
        # What came unasked on an idle connection would be taken for the reply.
        if protocol is None or transport is None or transport.is_closing() or len(protocol):
            raise aiohttp.ClientConnectionError("the connection was lost before the request was sent")
        protocol.set_response_params(read_until_eof=True)
        progress.stage = RequestStage.SENT
        transport.write(request)
        message, content = await _reply(protocol)
        said = message.headers
        return HttpReply(
            message.code,
            said.get("content-type", "").partition(";")[0].strip().lower(),
            said.get(self._names[0]),
            said.get(self._names[1], ""),
            await self._read(content),
        )

    async def _read(self, content: StreamReader) -> bytes:
        """The body, counted as it comes out of decompression, which hands over small pieces."""
        pieces: list[bytes] = []
        length = 0
        while not content.at_eof():
            pieces.append(await content.readany())
            length += len(pieces[-1])
            if length > self._most:
                raise ReplyTooLarge
        return b"".join(pieces)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._kept.close()
        await self._fresh.close()


_DEFAULTS: Final = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "headgate"}
"""Sent where the caller says nothing else."""


def _written(method: str, target: str, headers: Mapping[str, str], body: str, *, alone: bool) -> bytes:
    """A request as it goes out. Raises ValueError for a header that would be more than one."""
    content = body.encode()
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()]]
    if content or method != "GET":
        lines.append(f"content-length: {len(content)}")
    if alone:
        lines.append("connection: close")
    text = "\n".join(lines)
    if text.count("\n") >= len(lines) or "\r" in text or "\0" in text:
        raise ValueError("a header holds a line break or a null")
    return text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + content


async def _reply(protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """The head of the reply and its body to come; a few 1xx in front of it are passed over."""
    for _ in range(MAX_INTERIM + 1):
        try:
            message, content = await protocol.read()
        except HttpProcessingError as error:
            raise aiohttp.ClientPayloadError("not HTTP") from error
        if message.code == 101 or not 100 <= message.code < 200:
            return message, content
    raise aiohttp.ClientPayloadError("interim replies without end")


async def tls_context(scheme: str, settings: HttpBounds) -> ssl.SSLContext | None:
    """What to trust, None for http. Reading the authorities takes tens of milliseconds, so a thread does it.

    Raises:
        OSError: the file of authorities can't be read.
    """
    if scheme == "http":
        return None
    return await asyncio.to_thread(ssl.create_default_context, cafile=settings.ca_file)
