"""HTTP for operators: /healthz (the loop turns), /readyz (calls can be served), /metrics. Holds no secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from headgate_server.metrics import Metrics


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

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        reason = why_not()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.page(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", show_metrics)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
