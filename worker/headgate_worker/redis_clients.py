"""Clients of Redis as a worker needs them: one for commands, one for a lane's blocking reads. Nothing here retries."""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError

from headgate import redis_url
from headgate.redis_url import SentinelTarget

COMMAND_TIMEOUT_SECONDS: Final = 5.0
"""Longest wait for the answer to a command: a frozen store must not hold a tick for ever."""

CONNECT_TIMEOUT_SECONDS: Final = 2.0
"""Longest wait for a connection."""

BLOCK_MARGIN_SECONDS: Final = 5.0
"""How much longer than the blocking itself the answer to a blocking read may take."""


def _options(*, answer_seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": answer_seconds,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 15,
        # Repeating INCR or LPUSH after a lost reply does it twice (measured): whoever knows that it is safe, repeats.
        "retry": Retry(NoBackoff(), 0),
    }


def command_client(url: str, *, connections: int) -> Redis:
    """A client for short commands; callers wait for a free connection instead of failing.

    Raises:
        BadRedisUrl: the URL can't be used.
    """
    options = _options(answer_seconds=COMMAND_TIMEOUT_SECONDS)
    target = redis_url.parse(url)
    if target is not None:
        return _behind_sentinels(target, options)
    pool = BlockingConnectionPool.from_url(url, max_connections=connections, timeout=COMMAND_TIMEOUT_SECONDS, **options)
    client: Redis = Redis.from_pool(pool)
    return client


def blocking_client(url: str, *, block_seconds: float) -> Redis:
    """A client for reads that block for at most `block_seconds`; never shared with commands.

    Raises:
        BadRedisUrl: the URL can't be used.
    """
    options = _options(answer_seconds=block_seconds + BLOCK_MARGIN_SECONDS)
    target = redis_url.parse(url)
    if target is not None:
        return _behind_sentinels(target, options)
    client: Redis = Redis.from_url(url, **options)
    return client


def _behind_sentinels(target: SentinelTarget, options: dict[str, Any]) -> Redis:
    """A client of whatever the Sentinels call the primary; a demoted one is left at its first READONLY."""
    asking = {**redis_url.sentinel_options(target), "socket_timeout": CONNECT_TIMEOUT_SECONDS}
    sentinels = Sentinel(list(target.sentinels), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    client: Redis = sentinels.master_for(target.primary, **redis_url.server_options(target), **options)
    return client


async def close(client: Redis) -> None:
    """Close a client made here, with what it keeps open towards Sentinels."""
    await client.aclose()
    pool = client.connection_pool
    for sentinel in pool.sentinel_manager.sentinels if isinstance(pool, SentinelConnectionPool) else ():
        await sentinel.aclose()


STORE_AWAY: Final = (RedisError, OSError)
"""What a store that is away looks like: redis-py lets a reset connection's own error through here and there."""

_REFUSALS: Final = (
    *("READONLY", "read only replica", "OOM ", "command not allowed when used memory"),
    *("MISCONF", "MASTERDOWN", "NOREPLICAS"),
)
"""Marks of a store that takes no writes for now; a script's error carries the line of the command that failed in it."""


def refuses_writes(error: RedisError) -> bool:
    """Whether the store answered that it takes no writes now: it is a replica, full, or can't save."""
    named = isinstance(error, ReadOnlyError | OutOfMemoryError)  # whose marks redis-py takes off
    return named or any(mark in str(error) for mark in _REFUSALS)


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
