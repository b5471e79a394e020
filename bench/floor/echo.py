"""`python -m bench.floor.echo [--asyncio]`: a bare grpc.aio server, on uvloop as ours, that sends requests back."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import grpc
import uvloop

PATH = "/bench.Floor/Echo"


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def main() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    methods: dict[str, Any] = {"Echo": grpc.unary_unary_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Floor", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready port={port}", flush=True)
    await stop.wait()
    await server.stop(0)


if __name__ == "__main__":
    factory = asyncio.new_event_loop if "--asyncio" in sys.argv else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
