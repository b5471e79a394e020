"""Whether a Redis may hold jobs: it must never evict, and it must take writes. Asked once, at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from headgate_server.errors.exceptions import StoreUnfit
from headgate_server.store.errors import translated


async def check(client: Redis) -> int:
    """Refuse a Redis that would lose jobs; the time in ms by its clock.

    Raises:
        StoreUnfit: it evicts, or it is a read-only replica.
        StoreUnavailable: it can't be reached.
    """
    with translated():
        seconds, micros = await client.time()
        judge(await client.info("memory"), await client.info("replication"))
        return int(seconds) * 1000 + int(micros) // 1000


def judge(memory: Mapping[str, Any], replication: Mapping[str, Any]) -> None:
    """Refuse on what INFO says.

    Raises:
        StoreUnfit: it evicts, or it is a read-only replica.
    """
    policy = memory.get("maxmemory_policy", "noeviction")
    if int(memory.get("maxmemory", 0)) > 0 and policy != "noeviction":
        raise StoreUnfit(f"Redis would evict jobs: maxmemory-policy is {policy}, set it to noeviction")
    if replication.get("role") == "slave" and int(replication.get("slave_read_only", 1)):
        raise StoreUnfit("Redis is a read-only replica; HEADGATE_REDIS_URL must name the primary")
