"""All connections of one process to Redis: those that pipes, feed and lane own, and a small pool for the start."""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

from headgate.process import redis_url


class RedisLink:
    """Makes connections to one Redis, all alike but for their timeouts.

    Args:
        url: as in HEADGATE_REDIS_URL: one server, or a primary that Sentinels know.
        timeout: longest time, in seconds, an ordinary command may take.

    Raises:
        BadRedisUrl: the URL can't be used.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        shared = {"socket_connect_timeout": min(timeout, 2.0), "socket_keepalive": True}
        hasty = {"socket_timeout": timeout, "health_check_interval": 15, **shared}
        target = redis_url.parse(url)
        self._sentinels: list[Redis] = []
        pool: ConnectionPool
        if target is None:
            self._patient = ConnectionPool.from_url(url, **shared)
            pool = BlockingConnectionPool.from_url(url, max_connections=4, timeout=timeout, **hasty)
        else:
            asking = {**redis_url.sentinel_options(target), "socket_timeout": shared["socket_connect_timeout"]}
            knowing = Sentinel(list(target.sentinels), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
            self._sentinels = knowing.sentinels
            servers = redis_url.server_options(target)
            self._patient = _behind(knowing, target.primary, {**servers, **shared})
            pool = _behind(knowing, target.primary, {**servers, **hasty})
        self.client: Redis = Redis(connection_pool=pool)

    def connection(self) -> AbstractConnection:
        """A connection of its owner's own, unconnected, without a socket timeout."""
        made: AbstractConnection = self._patient.make_connection()  # type: ignore[no-untyped-call]
        return made

    async def close(self) -> None:
        """Let the pool go, and what asks the Sentinels."""
        await self.client.aclose()
        await self.client.connection_pool.disconnect()
        for sentinel in self._sentinels:
            await sentinel.aclose()


def _behind(knowing: Sentinel, primary: str, options: dict[str, Any]) -> ConnectionPool:
    """A pool whose every new connection goes to whatever the Sentinels call the primary then."""
    return SentinelConnectionPool(primary, knowing, **options)  # type: ignore[no-untyped-call]
