"""The reads of the daily self-check, and the claim on the day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headgate.check import self_check
from headgate.store import keys
from headgate_redis.row_errors import is_damage

EVERY_MS: Final = 24 * 3600 * 1000
"""How long after one sample was begun the next one may be."""


class SampledJobs:
    """Reads for checks."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._check = redis.register_script(self_check.SCRIPT)

    async def claim_check(self) -> bool:
        """Claim the day's sample; whether it was still to be had."""
        return bool(await self._redis.set(keys.CHECKED, "1", nx=True, px=EVERY_MS))

    async def sample(self, count: int) -> Sequence[str]:
        """At most so many jobs, each once, drawn from all that there are."""
        found: Any = await self._redis.zrandmember(keys.JOBS, count)
        return [keys.text(name) for name in found or ()]

    async def row(self, job_id: str) -> Sequence[Any]:
        """What the script of the check answers."""
        names, arguments = self_check.script_keys(job_id), self_check.script_arguments(job_id)
        raw: Any = await self._check(keys=names, args=arguments)
        return list(raw)

    async def events(self, job_id: str, first: int, last: int) -> Sequence[bytes]:
        """The events at positions from 0, both ends included."""
        found: Any = await self._redis.lrange(keys.log(job_id), first, last)  # type: ignore[misc]
        return list(found)

    async def holders(self, key: str, days: Sequence[str]) -> Sequence[bytes | None]:
        """The holder of each day; None for all where the key is of another type."""
        try:
            found: Any = await self._redis.hmget(key, list(days)) if days else []  # type: ignore[misc]
        except ResponseError as error:
            if not is_damage(error):
                raise
            return [None] * len(days)
        return list(found)
