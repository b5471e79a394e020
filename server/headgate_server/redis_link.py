"""All connections of one process to Redis: those that pipes, feed and lane own, and a small pool for the start."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection


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

    async def close(self) -> None:
        """Let the pool go."""
        await self.client.aclose()
        await self.client.connection_pool.disconnect()
