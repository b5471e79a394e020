"""Stops on record in the store, for all jobs that follow an instance; see `core.facts.stop_records`. Adapter to Redis.

A record costs one round trip before a stop and one after it, however many instances it names, and is read only with an
end that a stop may have caused. Losing one loses who stopped the instance: it counts as failed then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from redis.asyncio import Redis

from headgate.store import keys
from headgate_worker.core.model.calls import StopRecord

TTL_MS: Final = 24 * 3600 * 1000
"""How long a stop is kept on record: longer than any stop takes to settle, and than most outages."""


class Stops:
    """Stops that jobs have sent.

    Args:
        redis: a client that does not decode replies.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    async def record(self, connection: str, ids: Iterable[int | str], stop: StopRecord) -> None:
        """Note a stop that is about to be sent beside each of its instances."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for one in ids:
                pipeline.hset(keys.stops(connection, one), _field(stop), "")
                pipeline.pexpire(keys.stops(connection, one), TTL_MS)
            await pipeline.execute()

    async def answered(self, connection: str, answers: Mapping[int | str, bool], stop: StopRecord) -> None:
        """Note by instance that a stop was accepted; where it was refused, forget it."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for one, accepted in answers.items():
                if accepted:
                    pipeline.hset(keys.stops(connection, one), _field(stop), "1")
                else:
                    pipeline.hdel(keys.stops(connection, one), _field(stop))
            await pipeline.execute()

    async def of(self, connection: str, instance_id: int | str) -> tuple[StopRecord, ...]:
        """The stops on record for an instance; what can't be understood is left out."""
        found = await self._redis.hgetall(keys.stops(connection, instance_id))
        records = (_record(name.decode(errors="replace"), accepted == b"1") for name, accepted in found.items())
        return tuple(one for one in records if one is not None)


def _field(stop: StopRecord) -> str:
    return f"{stop.job} {stop.sent_ms}"


def _record(field: str, accepted: bool) -> StopRecord | None:  # the value of the field
    job, _, sent_ms = field.partition(" ")
    return StopRecord(job, int(sent_ms), accepted) if sent_ms.isdecimal() else None
