"""All connections of one process to Redis: two shared pipes, two that block, and a small pool for the rest."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection

from headgate import keys
from headgate_server.redis_errors import translated

_PROBE_MS = 60_000


class RedisLink:
    """Makes connections to one Redis, all alike but for their timeouts.

    Args:
        url: as in HEADGATE_REDIS_URL.
        timeout: longest time, in seconds, an ordinary command may take.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        shared = {"socket_connect_timeout": min(timeout, 2.0), "socket_keepalive": True}
        self._patient = ConnectionPool.from_url(url, **shared)
        pool = BlockingConnectionPool.from_url(
            url, max_connections=4, timeout=timeout, socket_timeout=timeout, health_check_interval=15, **shared
        )
        self.client: Redis = Redis(connection_pool=pool)

    def connection(self) -> AbstractConnection:
        """A connection of its owner's own, unconnected, without a socket timeout."""
        made: AbstractConnection = self._patient.make_connection()  # type: ignore[no-untyped-call]
        return made

    async def probe(self) -> None:
        """Write something.

        Raises:
            StoreUnavailable: it can't be written now.
            StoreFull: it has no room.
        """
        with translated():
            await self.client.set(f"{keys.PREFIX}probe", "1", px=_PROBE_MS)

    async def close(self) -> None:
        """Let the pool go."""
        await self.client.aclose()
        await self.client.connection_pool.disconnect()
