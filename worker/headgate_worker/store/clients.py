"""Clients of Redis as a worker needs them: one for commands, one for a lane's blocking reads. Nothing here retries."""

from __future__ import annotations

from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError

from headgate.process import redis_url
from headgate.process.redis_url import SentinelTarget
from headgate_worker.store.pipelined_redis import PipelinedRedis

COMMAND_TIMEOUT_SECONDS: Final = 5.0
"""Longest wait for the answer to a command: a frozen store must not hold a tick for ever."""

CONNECT_TIMEOUT_SECONDS: Final = 2.0
"""Longest wait for a connection."""

BLOCK_MARGIN_SECONDS: Final = 5.0
"""How much longer than the blocking itself the answer to a blocking read may take."""


_SHARED: Final[dict[str, Any]] = {
    "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "socket_keepalive": True,
    # Repeating INCR or LPUSH after a lost reply does it twice (measured): the callers that may, repeat.
    "retry": Retry(NoBackoff(), 0),
}


def _options(*, answer_seconds: float) -> dict[str, Any]:
    return {"socket_timeout": answer_seconds, "health_check_interval": 15, **_SHARED}


def command_client(url: str, *, connections: int) -> Redis:
    """A client for short commands, whose pipelines wait for one of so many connections instead of failing.

    Raises:
        BadRedisUrl: the URL can't be used.
    """
    options = _options(answer_seconds=COMMAND_TIMEOUT_SECONDS)
    target = redis_url.parse(url)
    if target is not None:
        asked = _sentinels(target)
        pool, patient = _behind(asked, target, options), _behind(asked, target, _SHARED)
    else:
        bounds = {"max_connections": connections, "timeout": COMMAND_TIMEOUT_SECONDS}
        pool = BlockingConnectionPool.from_url(url, **bounds, **options)
        patient = ConnectionPool.from_url(url, **_SHARED)
    return PipelinedRedis(pool, patient, timeout=COMMAND_TIMEOUT_SECONDS)


def blocking_client(url: str, *, block_seconds: float) -> Redis:
    """A client for reads that block for at most `block_seconds`; never shared with commands.

    Raises:
        BadRedisUrl: the URL can't be used.
    """
    options = _options(answer_seconds=block_seconds + BLOCK_MARGIN_SECONDS)
    target = redis_url.parse(url)
    if target is not None:
        return Redis.from_pool(_behind(_sentinels(target), target, options))
    client: Redis = Redis.from_url(url, **options)
    return client


def _sentinels(target: SentinelTarget) -> Sentinel:
    asking = {**redis_url.sentinel_options(target), "socket_timeout": CONNECT_TIMEOUT_SECONDS}
    return Sentinel(list(target.sentinels), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]


def _behind(asked: Sentinel, target: SentinelTarget, options: dict[str, Any]) -> ConnectionPool:
    """A pool towards whatever the Sentinels call the primary; a demoted one is left at its first READONLY."""
    return SentinelConnectionPool(target.primary, asked, **{**redis_url.server_options(target), **options})  # type: ignore[no-untyped-call]


async def close(client: Redis) -> None:
    """Close a client made here, with what it keeps open towards Sentinels."""
    await client.aclose()
    pool = client.connection_pool
    for sentinel in pool.sentinel_manager.sentinels if isinstance(pool, SentinelConnectionPool) else ():
        await sentinel.aclose()


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
