"""A store in trouble: full, evicting, a replica, frozen, away. Callers are told; nothing is said twice or lost."""

from collections.abc import AsyncIterator

import pytest

from headgate_cli.dev.redis_server import RedisServer
from headgate_server.errors.exceptions import StoreUnfit
from headgate_server.store import startup_check


@pytest.fixture
async def own_redis() -> AsyncIterator[RedisServer]:
    async with RedisServer(appendonly=True, appendfsync="always") as redis:
        yield redis


@pytest.mark.parametrize(
    ("memory", "replication", "word"),
    [
        ({"maxmemory": 10, "maxmemory_policy": "allkeys-lru"}, {"role": "master"}, "noeviction"),
        ({"maxmemory": 0}, {"role": "slave", "slave_read_only": 1}, "replica"),
    ],
)
def test_a_store_that_would_lose_jobs_is_refused(
    memory: dict[str, object], replication: dict[str, object], word: str
) -> None:
    with pytest.raises(StoreUnfit, match=word):
        startup_check.judge(memory, replication)


def test_a_store_that_keeps_jobs_is_taken() -> None:
    startup_check.judge({"maxmemory": 10, "maxmemory_policy": "noeviction"}, {"role": "master"})
    startup_check.judge({"maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, {"role": "slave", "slave_read_only": 0})
