"""The upstreams of this deployment by the name of their connection. Credentials live here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from redis.asyncio import Redis

from headgate.process import exposure
from headgate.process.exposure import Exposure
from headgate.process.wait_bounds import WaitBounds
from headgate.quota import limits as quota_limits
from headgate.quota.admission import PLAIN, Go, QuotaVerdict
from headgate.quota.limits import Limits
from headgate.quota.priority import Rank
from headgate_worker.core.model.calls import Call, Failure, FailureKind, OutcomeOf
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.ports.clock import Clock
from headgate_worker.ports.upstreams import GovernedUpstream, Upstream, Upstreams
from headgate_worker.process.settings import Settings
from headgate_worker.upstream import connection_file
from headgate_worker.upstream.connection_file import ConnectionFile, DataWorksEntry, EnosEntry, limits_from
from headgate_worker.upstream.dataworks.settings import DataWorksSettings
from headgate_worker.upstream.enos.client import Enos
from headgate_worker.upstream.governor import Governor


class Connection:
    """One upstream with the quota that all workers share. Without limits the quota is not asked."""

    def __init__(self, upstream: Upstream, governor: Governor, limits: Limits, clock: Clock) -> None:
        self._upstream = upstream
        self._governor = governor
        self._limited = limits != quota_limits.EDITIONS["unlimited"]
        self._clock = clock

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        """Whether the call may go out, or when; see `Governor.admit`."""
        if not self._limited:
            return Go()
        return await self._governor.admit(call, patience_ms=patience_ms, cancel=cancel, rank=rank, held=held)

    async def call(self, call: UpstreamCall[Body], *, timeout_seconds: float) -> OutcomeOf[Body]:
        """Send the call, and let the quota learn from what came of it."""
        outcome = await self._upstream.call(call, timeout_seconds=timeout_seconds)
        if self._limited:
            await self._governor.learn(call, outcome, self._clock.now_ms())
        return outcome

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """Why the upstream can't be reached now; the quota has no part in it."""
        return await self._upstream.reach(timeout_seconds=timeout_seconds)

    async def announce(self, name: str, now_ms: int, waits: WaitBounds) -> None:
        """Write the limits and the waits where servers read them."""
        await self._governor.announce(name, now_ms, waits)

    async def aclose(self) -> None:
        """Close the upstream."""
        await self._upstream.aclose()


ANNOUNCE_MS: Final = 30_000
"""Time between two announcements of a connection."""


class Connections:
    """Upstreams by name; "" is the default one, and `default` its own name, which is empty where it has none."""

    def __init__(
        self,
        connections: Mapping[str, Connection],
        default: str = "",
        exposures: frozenset[Exposure] = frozenset(),
    ) -> None:
        self.default = default
        self._connections = dict(connections)
        self.exposures = exposures
        self._announced_ms = 0

    async def announce(self, now_ms: int, waits: WaitBounds) -> None:
        """Announce the connections of this worker and its waits, if that was not done just before.

        Raises:
            redis.exceptions.RedisError: the store can't be written.
        """
        if now_ms < self._announced_ms + ANNOUNCE_MS:
            return
        for name, connection in self._connections.items():
            await connection.announce(name, now_ms, waits)
        self._announced_ms = now_ms

    def get(self, connection: str) -> Connection:
        """The upstream of a connection; KeyError when there is none of that name."""
        return self._connections[connection]

    def for_jobs(self) -> Upstreams:
        """The same, where every name has an upstream: one that is not there refuses every call."""
        return _ForJobs(self._connections)

    async def aclose(self) -> None:
        """Close them all; one that has two names is closed once."""
        for connection in {id(one): one for one in self._connections.values()}.values():
            await connection.aclose()


class _ForJobs:
    def __init__(self, connections: Mapping[str, Connection]) -> None:
        self._connections = connections

    def get(self, connection: str) -> GovernedUpstream:
        return self._connections.get(connection) or _Absent(connection)


class _Absent:
    """Stands for a connection that this worker does not have."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        return Go()

    async def call(self, call: UpstreamCall[Body], *, timeout_seconds: float) -> OutcomeOf[Body]:
        return Failure(FailureKind.DENIED, "connection_unknown", f"this worker has no connection {self._name!r}")

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        return None

    async def aclose(self) -> None:
        return None


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
    return limits_from(edition, own)


def exposures_of(settings: Settings, named: ConnectionFile) -> frozenset[Exposure]:
    """What is done in the open with any of the upstreams."""
    urls = [entry.endpoint for entry in named.connections.values()]
    if not named.default:
        urls.append(settings.dataworks_endpoint)
    return frozenset().union(*map(exposure.of_upstream, urls))


async def connect(settings: Settings, redis: Redis, clock: Clock) -> Connections:
    """Get the upstreams of the settings and of the connection file ready. Opens no connection to them yet.

    Raises:
        ValueError: an endpoint, a region or the file makes no sense, a credential is not where the file says, or an
            upstream is called in the open and that is not meant.
    """
    named = await asyncio.to_thread(connection_file.load, settings.connections)
    exposures = exposures_of(settings, named)
    if wrong := exposure.refusal(exposures, exposure.parse(settings.allow_insecure)):
        raise ValueError(wrong)
    found: dict[str, Connection] = {}
    for name, entry in named.connections.items():
        found[name] = await _ready(_upstream(name, entry, clock), name, entry.limits(), redis, clock)
    if named.default:
        found[""] = found[named.default]
    else:
        found[""] = await _ready(_default(settings, clock), "", limits_of(settings), redis, clock)
    return Connections(found, named.default, exposures)


async def _ready(upstream: _Adapter, name: str, limits: Limits, redis: Redis, clock: Clock) -> Connection:
    await upstream.open()
    return Connection(upstream, Governor(redis, name, limits), limits, clock)


class _Adapter(Upstream, Protocol):
    async def open(self) -> None: ...


def _upstream(name: str, entry: DataWorksEntry | EnosEntry, clock: Clock) -> _Adapter:
    try:
        if isinstance(entry, EnosEntry):
            return Enos(entry.settings(connection_file.environment()), clock=_seconds(clock))
        return _dataworks(entry.settings(connection_file.environment()), clock)
    except ValueError as error:
        raise ValueError(f"HEADGATE_CONNECTIONS: {name}: {error}") from None


def _default(settings: Settings, clock: Clock) -> _Adapter:
    found = DataWorksSettings(region=settings.dataworks_region, endpoint=settings.dataworks_endpoint or None)
    return _dataworks(found, clock)


def _seconds(clock: Clock) -> Callable[[], float]:
    """The store's clock for an adapter, so that a machine whose own is wrong signs and observes with the right time."""
    return lambda: clock.now_ms() / 1000


def _dataworks(settings: DataWorksSettings, clock: Clock) -> _Adapter:
    # The SDK takes a second to load; only here, so that settings and tests of other rooms do without it.
    from headgate_worker.upstream.dataworks.client import DataWorks

    return DataWorks(settings, clock=_seconds(clock))
