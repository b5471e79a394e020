"""What Redis says of workers and quota, for explanations."""

from __future__ import annotations

from headgate import keys, quota
from headgate_server.clock import StoreClock
from headgate_server.explaining import Facts
from headgate_server.pipe import Pipe
from headgate_server.redis_store import insist


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
        commands = (
            ("MULTI",),
            ("TIME",),
            ("ZREVRANGE", keys.WORKERS, 0, 0, "WITHSCORES"),
            ("HGETALL", quota.key(connection)),
            ("EXEC",),
        )
        (now, seen, found), _ = await insist(lambda: self._reads.call(*commands))
        now_ms = int(now[0]) * 1_000 + int(now[1]) // 1_000
        self._clock.learn(now_ms)
        fields = dict(zip(found[::2], found[1::2], strict=True))
        hash_ = {key.decode(): value.decode() for key, value in fields.items()}
        return Facts(now_ms, int(float(seen[1])) if seen else None, hash_)
