"""`python -m bench.chaos.refuser`: a bare gRPC server that refuses each call on its headers, and holds denials back.

A noise that is sent here costs the machine what it costs to make it and to refuse it, and headgate nothing: how long
another caller of headgate waits meanwhile is the stage's share of what is measured beside the same noise at headgate.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from headgate_server.auth import denials
from headgate_server.auth.held_denials import HeldDenials


class Refusal(grpc.GenericRpcHandler):
    """Answers calls of all methods alike."""

    def __init__(self) -> None:
        self._held = HeldDenials()
        self._denial = denials.too_often("noisy", 1.0, 10)
        self._handler = grpc.stream_stream_rpc_method_handler(self._refuse)

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call."""
        return self._handler

    async def _refuse(self, _requests: Any, context: Any) -> None:
        await self._held.hold(self._held.seconds(context.peer()), context.time_remaining())
        context.set_code(self._denial.code)
        context.set_details(self._denial.message)
        context.set_trailing_metadata(self._denial.details)


async def main() -> None:
    """Refuse until the process is stopped."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Refusal(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"refuser ready grpc=127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
