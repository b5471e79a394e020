"""Whether calls can be served: a probe that writes into Redis, the hub, and drain; shown by grpc.health.v1.

A server whose Redis is full is ready: what makes room goes through it.

Liveness does not depend on it: a restart of every server does not bring Redis back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from grpc_health.v1.health_pb2 import HealthCheckResponse

from headgate_server.errors.exceptions import ServerError, StoreFull

_log = logging.getLogger(__name__)

PROBE_SECONDS: Final = 1.0
"""How often Redis is tried."""

FULL: Final = "no slot is left for calls"
"""Why a server is not ready that serves as many calls as it can."""


class Health:
    """The health of one process, per service.

    Args:
        probe: writes something into the store; raises ServerError when that can't be done.
        following: whether the feed is being read.
        is_full: whether calls find no slot.
        services: full names of the services that depend on the store; "" stands for the whole server.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[None]],
        following: Callable[[], bool],
        is_full: Callable[[], bool],
        services: Iterable[str],
    ) -> None:
        self.watchers: set[asyncio.Event] = set()
        self._probe = probe
        self._following = following
        self._is_full = is_full
        self._services = ("", *services)
        self._reason = "starting"

    @property
    def statuses(self) -> Mapping[str, HealthCheckResponse.ServingStatus]:
        """The status of each service. The events in `watchers` are set at each change."""
        status = HealthCheckResponse.NOT_SERVING if self._reason else HealthCheckResponse.SERVING
        return dict.fromkeys(self._services, status)

    def why_not(self) -> str:
        """Why calls can't be served now; empty when they can."""
        return self._reason or (FULL if self._is_full() else "")

    async def run(self) -> None:
        """Try the store until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(PROBE_SECONDS)

    async def check(self) -> None:
        """Try the store once and publish the status."""
        reason = await self._find_reason()
        if self._reason != "draining":
            self._tell(reason)

    async def drain(self) -> None:
        """Say NOT_SERVING from now on."""
        self._tell("draining")

    async def _find_reason(self) -> str:
        try:
            await self._probe()
        except StoreFull:
            pass  # cancels and deletes go on, and no other server could do more
        except ServerError:
            return "the store can't be written"
        except Exception:
            _log.exception("the store can't be tried")
            return "the store can't be tried"
        if not self._following():
            return "the feed can't be read"
        return FULL if self._is_full() else ""

    def _tell(self, reason: str) -> None:
        self._reason = reason
        for watcher in self.watchers:
            watcher.set()
