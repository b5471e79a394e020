"""Clients of Redis as a worker needs them: one for commands, one for a lane's blocking reads. Nothing here retries."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

COMMAND_TIMEOUT_SECONDS = 5.0
"""Longest wait for the answer to a command: a frozen store must not hold a tick for ever."""

BLOCK_MARGIN_SECONDS = 5.0
"""How much longer than the blocking itself the answer to a blocking read may take."""


def command_client(url: str, *, connections: int) -> Redis:
    """A client for short commands; callers wait for a free connection instead of failing."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=COMMAND_TIMEOUT_SECONDS,
        socket_timeout=COMMAND_TIMEOUT_SECONDS,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        health_check_interval=15,
        # Repeating INCR or LPUSH after a lost reply does it twice (measured): whoever knows that it is safe, repeats.
        retry=Retry(NoBackoff(), 0),
    )
    client: Redis = Redis.from_pool(pool)
    return client


def blocking_client(url: str, *, block_seconds: float) -> Redis:
    """A client for reads that block for at most `block_seconds`; never shared with commands."""
    client: Redis = Redis.from_url(
        url,
        socket_timeout=block_seconds + BLOCK_MARGIN_SECONDS,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )
    return client


class UnfitStore(Exception):
    """The store may lose jobs, or refuses to take them; the message says what to change."""


async def check_store(redis: Redis) -> None:
    """Refuse a store that may evict jobs or that can't be written.

    Raises:
        UnfitStore: it has a memory limit and another policy than noeviction, or it is a read-only replica.
        redis.exceptions.RedisError: it can't be reached.
    """
    memory, replication = await redis.info("memory"), await redis.info("replication")
    policy = memory.get("maxmemory_policy", "noeviction")
    if int(memory.get("maxmemory", 0)) > 0 and policy != "noeviction":
        raise UnfitStore(
            f"Redis has a memory limit and the policy {policy}: it may evict jobs. Set maxmemory-policy noeviction."
        )
    if replication.get("role") == "slave" and int(replication.get("slave_read_only", 1)):
        raise UnfitStore("this Redis is a read-only replica: point HEADGATE_REDIS_URL to the primary.")
