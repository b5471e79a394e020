"""HTTP for operators: /healthz (the loop turns), /readyz (work can be done), /metrics. Holds no secrets.

Three pages need no library: loading one took 25 % of the time that a server takes to start. A connection has one
GET or HEAD, for a few seconds at most. A newcomer is always let in, and the oldest connection goes for it, one that has
not said yet what it wants before one that is being answered: sockets that are idle or slow keep no probe out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

_log = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 8_192
"""Longest request that is read."""

MAX_CONNECTIONS: Final = 100
"""Most connections that are open."""

REQUEST_SECONDS: Final = 5.0
"""How long a request may take from its connection on, and how long its answer may take to be taken."""

LINGER_SECONDS: Final = 1.0
"""How long is waited, after an answer, for the client to close: what it still sends would cost it the answer."""

_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_GONE: Final = (OSError, TimeoutError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class HttpPage:
    """An answer."""

    body: bytes
    status: int = 200
    kind: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Awaitable[HttpPage]]]
"""What answers a path."""


def pages(why_not: Callable[[], Awaitable[str]], metrics: Callable[[], bytes]) -> Pages:
    """The pages of a process.

    Args:
        why_not: why work can't be done now; empty when it can.
        metrics: all metrics in the text format of Prometheus.
    """

    async def healthz() -> HttpPage:
        return HttpPage(b"ok\n")

    async def readyz() -> HttpPage:
        reason = await why_not()
        return HttpPage(f"{reason or 'ok'}\n".encode(), 503 if reason else 200)

    async def show_metrics() -> HttpPage:
        return HttpPage(metrics(), kind="text/plain; version=0.0.4; charset=utf-8")

    return {"/healthz": healthz, "/readyz": readyz, "/metrics": show_metrics}


@asynccontextmanager
async def serving(host: str, port: int, pages: Pages) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        pages: what is shown.

    Raises:
        OSError: the port is taken.
    """
    connections = _Connections(pages)
    server = await asyncio.start_server(connections.serve, host, port, limit=MAX_HEAD_BYTES)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        connections.abort()
        await server.wait_closed()


class _Connections:
    """The open connections, a bounded number, each with one request."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._idle: dict[asyncio.StreamWriter, None] = {}
        self._busy: dict[asyncio.StreamWriter, None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self._idle[writer] = None
        self._make_room()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await _head(reader)
            self._move(writer, self._idle, self._busy)
            async with asyncio.timeout(REQUEST_SECONDS):
                await _send(writer, await self._answer(head))
            self._move(writer, self._busy, self._idle)
            await _linger(reader, writer)
        except _GONE as error:
            _log.debug("an operator's request was not answered: %s", type(error).__name__)
        finally:
            self._idle.pop(writer, None)
            self._busy.pop(writer, None)
            writer.transport.abort()

    def abort(self) -> None:
        """End every connection."""
        for writer in (*self._idle, *self._busy):
            writer.transport.abort()

    @staticmethod
    def _move(writer: asyncio.StreamWriter, before: dict[asyncio.StreamWriter, None], after: Any) -> None:
        """Note that a connection has become busy or idle.

        Raises:
            ConnectionAbortedError: it has been given up meanwhile.
        """
        if writer not in before:
            raise ConnectionAbortedError
        del before[writer]
        after[writer] = None

    def _make_room(self) -> None:
        if len(self._idle) + len(self._busy) <= MAX_CONNECTIONS:
            return
        among = self._busy if len(self._idle) == 1 else self._idle
        oldest = next(iter(among))
        del among[oldest]
        oldest.transport.abort()

    async def _answer(self, head: bytes | None) -> bytes:
        if head is None:
            return _written(HttpPage(b"the request is too long\n", 431))
        parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return _written(HttpPage(b"this is not HTTP\n", 400))
        if parts[0] not in ("GET", "HEAD"):
            return _written(HttpPage(b"only GET and HEAD\n", 405))
        return _written(await self._page(parts[1].partition("?")[0]), only_head=parts[0] == "HEAD")

    async def _page(self, path: str) -> HttpPage:
        make = self._pages.get(path)
        if make is None:
            return HttpPage(b"no such page\n", 404)
        try:
            return await make()
        except Exception:
            _log.exception("the page %s can't be made", path)
            return HttpPage(b"this page can't be made\n", 500)


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    """The head of a request; None for one that is too long."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return None


async def _send(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.transport.set_write_buffer_limits(0)  # so that drain waits for the last byte
    writer.write(answer)
    await writer.drain()


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        return
    writer.write_eof()
    async with asyncio.timeout(LINGER_SECONDS):
        while await reader.read(MAX_HEAD_BYTES):
            pass


def _written(page: HttpPage, *, only_head: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {page.status} {_PHRASES[page.status]}\r\nContent-Type: {page.kind}\r\n"
        f"Content-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if only_head else page.body)
