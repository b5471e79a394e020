"""What Redis says of workers and quota, for explanations."""

from __future__ import annotations

from typing import Final, NamedTuple

from headgate.process.child_release import UNKNOWN, ChildRelease, decode_release
from headgate.quota import limits as quota
from headgate.scripts import loader
from headgate.store import keys
from headgate_redis.clock import StoreClock
from headgate_redis.pipeline import Pipeline
from headgate_redis.script import Script
from headgate_server.errors.exceptions import RowDamaged
from headgate_server.ports.facts import Facts
from headgate_server.store.job_scripts import PACKAGE, NoArguments
from headgate_server.store.retry import retry_lost_reply


class FactsKeys(NamedTuple):
    """KEYS of `read_facts.lua`."""

    workers: str
    quota: str


_FACTS: Final = Script(loader.load("read_facts", FactsKeys, NoArguments, package=PACKAGE))
"""Reads the time, the last heartbeat of a worker, and a connection's quota."""


class RedisFacts:
    """Reads facts on a pipe that others share.

    Args:
        clock: learns the time from every read.
    """

    def __init__(self, reads: Pipeline, clock: StoreClock) -> None:
        self._reads = reads
        self._clock = clock

    async def facts(self, connection: str) -> Facts:
        """What is known besides a job of the connection, read in one moment."""
        found = await self._look(connection)
        same = found.quota.get(quota.ALIAS)
        return found if same is None else await self._look(same)

    async def children(self, connection: str) -> ChildRelease:
        """What workers have seen of when upstream begins children by itself; nothing where that can't be read."""
        try:
            raw, _ = await retry_lost_reply(lambda: self._reads.call(("GET", keys.child_release(connection))))
        except RowDamaged:
            return UNKNOWN
        return decode_release(raw or b"")

    async def _look(self, connection: str) -> Facts:
        names = FactsKeys(keys.WORKERS, keys.quota(connection))
        (now, seen, found), _ = await retry_lost_reply(lambda: _FACTS.run(self._reads, names))
        now_ms = int(now[0]) * 1_000 + int(now[1]) // 1_000
        self._clock.learn(now_ms)
        fields = dict(zip(found[::2], found[1::2], strict=True))
        hash_ = {key.decode(): value.decode() for key, value in fields.items()}
        return Facts(now_ms, int(float(seen[1])) if seen else None, hash_)
