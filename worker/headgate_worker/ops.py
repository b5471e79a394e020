"""The HTTP side door of a worker: is it alive, is it ready, and its figures. No caller's data passes here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Probe = Callable[[], Awaitable[str]]
"""Answers with what is wrong, or with an empty text."""


def application(ready: Probe, registry: CollectorRegistry) -> web.Application:
    """/healthz answers while the loop runs, /readyz while work can be done, /metrics in the Prometheus format."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        wrong = await ready()
        return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


async def listen(app: web.Application, address: str) -> tuple[web.AppRunner, str]:
    """Serve on "host:port"; the runner to clean up, and the address with its real port."""
    host, _, port = address.rpartition(":")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host or "0.0.0.0", int(port), reuse_address=True)
    await site.start()
    real_port = runner.addresses[0][1]
    return runner, f"{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{real_port}"
