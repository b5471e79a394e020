"""The upstreams of this deployment by the name of their connection. Credentials live here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from redis.asyncio import Redis

from headgate import quota
from headgate.quota import Go, Limits, Verdict
from headgate_worker.core.calls import Call, Outcome
from headgate_worker.dataworks.settings import DataWorksSettings
from headgate_worker.governor import Governor
from headgate_worker.ports import Clock, Upstream
from headgate_worker.settings import Settings


class Connection:
    """One upstream with the quota that all workers share. Without limits nobody is asked."""

    def __init__(self, upstream: Upstream, governor: Governor, limits: Limits, clock: Clock) -> None:
        self._upstream = upstream
        self._governor = governor
        self._limited = limits != quota.EDITIONS["unlimited"]
        self._clock = clock

    async def admit(self, call: Call, *, patience_ms: int, cancel: bool = False) -> Verdict:
        """When the call may go out; `Go` counts as made."""
        if not self._limited:
            return Go(self._clock.now_ms())
        return await self._governor.admit(call, patience_ms=patience_ms, cancel=cancel)

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        """Send the call, and let the quota learn from what came of it."""
        outcome = await self._upstream.call(call, timeout_seconds=timeout_seconds)
        if self._limited:
            await self._governor.learn(call, outcome, self._clock.now_ms())
        return outcome

    async def aclose(self) -> None:
        """Close the upstream."""
        await self._upstream.aclose()


class Connections:
    """Upstreams by name; "" is the default one."""

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = dict(connections)

    def get(self, connection: str) -> Connection:
        """The upstream of a connection; KeyError when there is none of that name."""
        return self._connections[connection]

    async def aclose(self) -> None:
        """Close them all."""
        for connection in self._connections.values():
            await connection.aclose()


def limits_of(settings: Settings) -> Limits:
    """What the settings say upstream allows: the edition's preset, and each number that is set by itself."""
    plain_http = settings.dataworks_endpoint.startswith("http://")  # never the cloud: an emulator
    edition = settings.dataworks_edition or ("unlimited" if plain_http else "standard")
    own = {
        "read_qps": settings.dataworks_read_qps,
        "write_qps": settings.dataworks_write_qps,
        "total_qps": settings.dataworks_total_qps,
        "total_daily": settings.dataworks_total_daily,
    }
    return replace(quota.EDITIONS[edition], **{name: value for name, value in own.items() if value})  # type: ignore[arg-type]


async def connect(settings: Settings, redis: Redis, clock: Clock) -> Connections:
    """Get the upstreams of the settings ready. Opens no connection to them yet.

    Raises:
        ValueError: the endpoint or the region makes no sense.
    """
    # The SDK takes a second to load; only here, so that settings and tests of other rooms do without it.
    from headgate_worker.dataworks.client import DataWorks

    upstream = DataWorks(
        DataWorksSettings(region=settings.dataworks_region, endpoint=settings.dataworks_endpoint or None)
    )
    await upstream.open()
    limits = limits_of(settings)
    return Connections({"": Connection(upstream, Governor(redis, "", limits), limits, clock)})
