"""The reads of a job's self-check, and the walk over all that there is to check. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from headgate.check import self_check
from headgate.store import keys
from headgate_redis.pipeline import Command, Pipeline
from headgate_redis.script import Script
from headgate_server.errors.exceptions import RowDamaged
from headgate_server.store.retry import retry_lost_reply

_CHECK: Final = Script(self_check.SCRIPT)

SCANNED: Final = 1_000
"""About how many keys one step of a scan looks at."""


class RedisJobChecks:
    """Reads for checks."""

    def __init__(self, reads: Pipeline) -> None:
        self._reads = reads

    async def row(self, job_id: str) -> Sequence[Any]:
        """What the script of the check answers."""
        names, arguments = self_check.script_keys(job_id), self_check.script_arguments(job_id)
        raw, _ = await retry_lost_reply(lambda: _CHECK.run(self._reads, names, arguments))
        return list(raw)

    async def events(self, job_id: str, first: int, last: int) -> Sequence[bytes]:
        """The events at positions from 0, both ends included."""
        return list(await self._read(("LRANGE", keys.log(job_id), first, last)))

    async def holders(self, key: str, days: Sequence[str]) -> Sequence[bytes | None]:
        """The holder of each day; None for all where the key is of another type."""
        if not days:
            return []
        try:
            return list(await self._read(("HMGET", key, *days)))
        except RowDamaged:
            return [None] * len(days)

    async def unlisted(self, cursor: int) -> tuple[int, Sequence[str]]:
        """The next jobs that are there and in no index of all jobs, and where to go on; 0 at the end."""
        prefix = keys.job("")
        following, found = await self._read(("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", SCANNED))
        ids = [keys.text(name)[len(prefix) :] for name in found]
        scores = await self._read(("ZMSCORE", keys.JOBS, *ids)) if ids else []
        return int(following), [job_id for job_id, score in zip(ids, scores, strict=True) if score is None]

    async def _read(self, *commands: Command) -> Any:
        reply, _ = await retry_lost_reply(lambda: self._reads.call(*commands))
        return reply
