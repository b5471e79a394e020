"""grpc.health.v1: Check, List and Watch, without a right, in slots that no other call needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from grpc_health.v1.health_pb2 import (
    DESCRIPTOR,
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

from headgate.reasons import Reason
from headgate_server.auth.held_denials import HeldDenials
from headgate_server.auth.stream_shares import STREAM_SECONDS
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.share_exceeded import exceeded
from headgate_server.ports.call import Call, Observer, ReplySink
from headgate_server.rpc import handlers as rpc_handlers
from headgate_server.rpc.call_slots import CallSlots
from headgate_server.rpc.health import Health
from headgate_server.rpc.pending_requests import PendingRequests
from headgate_server.rpc.slot_table import SlotBounds, SlotTable

NAME: Final = DESCRIPTOR.services_by_name["Health"].full_name

WATCHES: Final = SlotBounds(total=1_000, per_connection=10)
"""Streams of Watch; where there is none left, the connection with most loses its oldest."""

CALLS: Final = 2_000
"""Calls that are served at once, watches among them."""

HELD: Final = 500
"""Ends of watches that are held back at a time, so that those take up a part of `CALLS` only."""

SLOW: Final = SlotBounds(total=64, per_connection=8)
"""Slots of requests that take long to arrive."""


def slots() -> CallSlots:
    """The slots of calls about health."""
    return CallSlots(CALLS, PendingRequests(SLOW, CALLS))


class _Watcher:
    """One open stream of Watch."""

    def __init__(self) -> None:
        self.stirred = asyncio.Event()
        self.is_lost = False

    def lose(self) -> None:
        """End the stream, for another one."""
        self.is_lost = True
        self.stirred.set()


class HealthService:
    """Serves the statuses of `health`.

    Args:
        health: knows how the process is.
        max_seconds: how long a Watch lasts; its client opens another.
    """

    def __init__(self, health: Health, *, max_seconds: float) -> None:
        self._health = health
        self._max_seconds = max_seconds
        self._held = HeldDenials(HELD)
        self._watchers: SlotTable[_Watcher] = SlotTable(WATCHES)

    def handlers(self, observer: Observer, slots: CallSlots) -> dict[str, Any]:
        """A grpc handler for each method."""
        check, listed = (HealthCheckRequest, self.check), (HealthListRequest, self.list)
        return {
            f"/{NAME}/Check": rpc_handlers.unary(f"{NAME}.Check", *check, observer, slots),
            f"/{NAME}/List": rpc_handlers.unary(f"{NAME}.List", *listed, observer, slots),
            f"/{NAME}/Watch": rpc_handlers.stream(f"{NAME}.Watch", HealthCheckRequest, self.watch, observer, slots),
        }

    async def check(self, request: Any, _call: Call) -> HealthCheckResponse:
        """Check."""
        status = self._health.statuses.get(request.service)
        if status is None:
            raise Refused(Reason.SERVICE_UNKNOWN, "this server has no such service")
        return HealthCheckResponse(status=status)

    async def list(self, _request: Any, _call: Call) -> HealthListResponse:
        """List."""
        found = self._health.statuses.items()
        return HealthListResponse(statuses={name: HealthCheckResponse(status=status) for name, status in found})

    async def watch(self, request: Any, call: Call, sink: ReplySink) -> None:
        """Watch: the status now, and whenever it changes. An unknown service has SERVICE_UNKNOWN."""
        name, until = request.service, asyncio.get_running_loop().time() + self._max_seconds
        with self._entered(call.peer) as watcher:
            last = None
            while not watcher.is_lost and asyncio.get_running_loop().time() < until:
                watcher.stirred.clear()
                status = self._health.statuses.get(name, HealthCheckResponse.SERVICE_UNKNOWN)
                if status != last:
                    await sink.write(HealthCheckResponse(status=status).SerializeToString())
                last = status
                await _stirred(watcher, until)
            if watcher.is_lost:
                await self._held.hold(self._held.seconds(call.peer), remaining=None)
                raise exceeded("health_watches", WATCHES.per_connection, "peer", STREAM_SECONDS)

    @contextmanager
    def _entered(self, peer: str) -> Iterator[_Watcher]:
        watcher = _Watcher()
        self._health.watchers.add(watcher.stirred)
        if (loser := self._watchers.take(watcher, peer)) is not None:
            loser.lose()
        try:
            yield watcher
        finally:
            self._watchers.free(watcher)
            self._health.watchers.discard(watcher.stirred)


async def _stirred(watcher: _Watcher, until: float) -> None:
    try:
        async with asyncio.timeout_at(until):
            await watcher.stirred.wait()
    except TimeoutError:
        return
