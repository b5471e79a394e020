"""HTTP for operators: /healthz (the loop turns), /readyz (calls can be served), /metrics. Holds no secrets.

Three pages need no library: loading one was a quarter of the time that a server takes to start. A connection carries
one GET, for a few seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from headgate_server.metrics import Metrics

_log = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 8_192
"""Longest request that is read."""

MAX_CONNECTIONS: Final = 100
"""Most connections that are open; more are closed at once."""

PATIENCE_SECONDS: Final = 5.0
"""How long one request may take in all."""

_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}
_GONE: Final = (OSError, TimeoutError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    body: bytes
    status: int = 200
    kind: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Page]]
"""What answers a path."""


@asynccontextmanager
async def serving(host: str, port: int, metrics: Metrics, why_not: Callable[[], str]) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        metrics: what /metrics shows.
        why_not: why calls can't be served now; empty when they can.

    Raises:
        OSError: the port is taken.
    """

    def readyz() -> Page:
        reason = why_not()
        return Page(f"{reason or 'ok'}\n".encode(), 503 if reason else 200)

    def show_metrics() -> Page:
        return Page(metrics.page(), kind="text/plain; version=0.0.4; charset=utf-8")

    door = _Door({"/healthz": lambda: Page(b"ok\n"), "/readyz": readyz, "/metrics": show_metrics})
    server = await asyncio.start_server(door.admit, host, port, limit=MAX_HEAD_BYTES)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


class _Door:
    """Answers connections, a bounded number at a time."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._open = 0

    async def admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                writer.write(await self._answer(reader))
                await writer.drain()
        except _GONE as error:
            _log.debug("an operator's request was not answered: %s", type(error).__name__)
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _written(Page(b"the request is too long\n", 400))
        return _written(self._page(head.split(b"\r\n", 1)[0].decode("latin-1")))

    def _page(self, line: str) -> Page:
        parts = line.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return Page(b"this is not HTTP\n", 400)
        if parts[0] != "GET":
            return Page(b"only GET\n", 405)
        make = self._pages.get(parts[1].partition("?")[0])
        return make() if make is not None else Page(b"no such page\n", 404)


def _written(page: Page) -> bytes:
    head = (
        f"HTTP/1.1 {page.status} {_PHRASES[page.status]}\r\nContent-Type: {page.kind}\r\n"
        f"Content-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + page.body
