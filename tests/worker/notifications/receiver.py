"""A receiver of notifications on this machine, whose replies tests script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Reply = Callable[["Received"], Awaitable[web.Response]]


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What has come so far; `reply` answers."""

    url: str
    reply: Reply
    requests: list[Received] = field(default_factory=list)

    async def have(self, count: int, *, seconds: float = 20) -> list[Received]:
        """The requests, once there are so many."""
        async with asyncio.timeout(seconds):
            while len(self.requests) < count:
                await asyncio.sleep(0.01)
        return self.requests


def statuses(*found: int) -> Reply:
    """Replies with one status after the other, and the last one from then on."""
    left = list(found)

    async def reply(_: Received) -> web.Response:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0], headers={"Location": "/elsewhere"})

    return reply


@asynccontextmanager
async def receiving(reply: Reply | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port of 127.0.0.1; by itself it takes everything."""
    found = Receiver("", reply or statuses(200))

    async def handle(request: web.Request) -> web.Response:
        one = Received(request.path, request.query_string, dict(request.headers), await request.read())
        found.requests.append(one)
        return await found.reply(one)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    found.url = f"http://127.0.0.1:{port}"
    try:
        yield found
    finally:
        await runner.cleanup()
