"""`python -m bench.floor.stream [--collector]`: bare server streams on uvloop; a trigger sends one message to all.

With `--collector` Python's garbage collector is set as a server of ours sets it, which no documentation asks for.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvloop

from headgate_ops.process_tuning import COLLECTOR

WATCH = "/bench.Floor/Watch"
TRIGGER = "/bench.Floor/Trigger"


class Floor:
    """All open streams."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[bytes]] = []

    async def watch(self, request: bytes, _context: Any) -> AsyncIterator[bytes]:
        """Send the request back to show that the stream stands, and then whatever is triggered."""
        yield request
        loop = asyncio.get_running_loop()
        while True:
            waiting: asyncio.Future[bytes] = loop.create_future()
            self._waiting.append(waiting)
            yield await waiting

    async def trigger(self, request: bytes, _context: Any) -> bytes:
        """Send the request to every stream."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(request)
        return b""


async def main() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = (("grpc.so_reuseport", 0), ("grpc.max_concurrent_streams", 10_000))
    server, floor = grpc.aio.server(options=options), Floor()
    methods: dict[str, Any] = {
        "Watch": grpc.unary_stream_rpc_method_handler(floor.watch),
        "Trigger": grpc.unary_unary_rpc_method_handler(floor.trigger),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Floor", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready port={port}", flush=True)
    await stop.wait()
    await server.stop(0)


if __name__ == "__main__":
    if "--collector" in sys.argv:
        gc.set_threshold(*COLLECTOR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
