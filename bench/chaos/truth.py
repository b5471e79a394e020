"""What Redis really holds, read past every process of ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys, snapshot

SETTLED = JOB_TERMINAL | {pb.JOB_STATE_NEEDS_ATTENTION}
"""States that a job does not leave by itself."""

_READ = """
return {redis.call('HMGET', KEYS[1], 'rev', 'st', 'snap', 'att', 'lease'), redis.call('LRANGE', KEYS[2], 0, -1)}
"""
# A script, since a full Redis refuses even a MULTI that only reads.

PORTION = 500
"""Jobs read at a time."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A job as it stands in Redis."""

    job_id: str
    revision: int
    state: pb.JobState.ValueType
    job: pb.Job
    events: tuple[bytes, ...]
    attempts: int
    lease_ms: int

    @property
    def settled(self) -> bool:
        """Whether it does not move by itself any more."""
        return self.state in SETTLED


class Truth:
    """Reads Redis directly."""

    def __init__(self, url: str) -> None:
        self.redis: Any = Redis.from_url(url, socket_timeout=10.0, socket_connect_timeout=2.0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.redis.aclose()

    async def job_ids(self) -> list[str]:
        """Every job there is, in the order of acceptance."""
        return [raw.decode() for raw in await self.redis.zrange(keys.JOBS, 0, -1)]

    async def jobs(self) -> dict[str, Stored]:
        """Every job with its log; each is read in one moment."""
        return await self.read(await self.job_ids())

    async def read(self, ids: Sequence[str]) -> dict[str, Stored]:
        """Those jobs that are there, in the same way."""
        found: dict[str, Stored] = {}
        for start in range(0, len(ids), PORTION):
            portion = ids[start : start + PORTION]
            found.update({row.job_id: row for row in await self._portion(portion) if row is not None})
        return found

    async def _portion(self, ids: Sequence[str]) -> list[Stored | None]:
        async with self.redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.eval(_READ, 2, keys.job(job_id), keys.log(job_id))
            raw = await pipe.execute()
        return [_stored(job_id, *row) for job_id, row in zip(ids, raw, strict=True)]

    async def states(self, ids: Iterable[str]) -> dict[str, pb.JobState.ValueType]:
        """The states of those jobs that are there."""
        wanted = list(ids)
        async with self.redis.pipeline(transaction=False) as pipe:
            for job_id in wanted:
                pipe.hget(keys.job(job_id), "st")
            raw = await pipe.execute()
        return {job_id: pb.JobState.ValueType(int(st)) for job_id, st in zip(wanted, raw, strict=True) if st}

    async def settle(self, ids: Collection[str], seconds: float) -> set[str]:
        """Wait until the jobs have ended or need a person; those that have not in time."""
        left, until = set(ids), time.monotonic() + seconds
        while left and time.monotonic() < until:
            try:
                states = await self.states(left)
            except RedisError:
                states = {}
            left -= {job_id for job_id, state in states.items() if state in SETTLED}
            if left:
                await asyncio.sleep(0.2)
        return left

    async def keys_like(self, pattern: str) -> list[str]:
        """Names of keys; a walk over all of them."""
        return [key.decode(errors="backslashreplace") async for key in self.redis.scan_iter(pattern, count=5_000)]

    async def held_by(self, pid: int) -> set[str]:
        """Jobs whose tick runs in a worker process."""
        names = await self.keys_like("arq:in-progress:tick:*")
        owners = await self.redis.mget(names) if names else []
        mine = [name for name, owner in zip(names, owners, strict=True) if owner and owner.startswith(b"%d-" % pid)]
        return {name.split(":")[3] for name in mine}

    async def now_ms(self) -> int:
        """The store's clock."""
        seconds, micros = await self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000


def _stored(job_id: str, row: Sequence[bytes | None], events: Sequence[bytes]) -> Stored | None:
    revision, state, kept, attempts, lease = row
    if revision is None:
        return None
    job = snapshot.job_of(kept, events[0] if events else None) or pb.Job()
    found = pb.JobState.ValueType(int(state or 0))
    return Stored(job_id, int(revision), found, job, tuple(events), int(attempts or 0), int(float(lease or 0)))
