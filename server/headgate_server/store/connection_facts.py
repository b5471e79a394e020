"""What Redis says of workers and quota, for explanations."""

from __future__ import annotations

from typing import Final

from headgate import keys, quota
from headgate_redis.pipe import Pipe
from headgate_redis.script import Script
from headgate_server.ports.clock import StoreClock
from headgate_server.ports.facts import Facts
from headgate_server.store.retry import insist

_FACTS: Final = Script("""
return {redis.call('TIME'), redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES'), redis.call('HGETALL', KEYS[2])}
""")
"""A script, since a full Redis refuses every MULTI. KEYS: 1 workers 2 quota."""


class RedisFacts:
    """Reads facts on a pipe that others share.

    Args:
        clock: learns the time from every read.
    """

    def __init__(self, reads: Pipe, clock: StoreClock) -> None:
        self._reads = reads
        self._clock = clock

    async def facts(self, connection: str) -> Facts:
        """What is known besides a job of the connection, read in one moment."""
        found = await self._look(connection)
        same = found.quota.get(quota.ALIAS)
        return found if same is None else await self._look(same)

    async def _look(self, connection: str) -> Facts:
        names = (keys.WORKERS, quota.key(connection))
        (now, seen, found), _ = await insist(lambda: _FACTS.run(self._reads, names, ()))
        now_ms = int(now[0]) * 1_000 + int(now[1]) // 1_000
        self._clock.learn(now_ms)
        fields = dict(zip(found[::2], found[1::2], strict=True))
        hash_ = {key.decode(): value.decode() for key, value in fields.items()}
        return Facts(now_ms, int(float(seen[1])) if seen else None, hash_)
