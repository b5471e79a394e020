"""A cloud that can't be reached for long: the log of a job that waits to create something does not grow meanwhile."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from headgate import pb
from headgate.quota.admission import PLAIN, Go, QuotaVerdict
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import Call, CreateInstances, Failure, FailureKind, Outcome, Reply
from headgate_worker.core.model.view import Policy
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.engine import Engine
from headgate_worker.ticks.tick import TickLimits
from tests.worker.submitting import backfill_job, seed_backfill, submit

LOST = Failure(FailureKind.TRANSIENT, "connect_failed", "nothing was sent: refused")


class Remote:
    """A cloud that is away until it is told to be there; it takes creates and answers nothing else."""

    def __init__(self) -> None:
        self.there = False
        self.tried = 0
        self.creates = 0

    def get(self, connection: str) -> Remote:
        return self

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        return Go()

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        if not self.there or not isinstance(call, CreateInstances):
            return LOST
        self.creates += 1
        return Reply("operation", "request", 0.0)

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        self.tried += 1
        return None if self.there else LOST

    async def aclose(self) -> None:
        return


async def test_only_the_first_create_that_gets_nowhere_is_told(redis: Redis, store: Store) -> None:
    remote = Remote()
    policy = Policy(backoff_min_ms=5, backoff_max_ms=5)
    clock = StoreClock(await store.now_ms())
    engine = Engine(store, remote, clock, SystemJitter(), policy=policy, limits=TickLimits())
    job_id = await submit(store, backfill_job(seed_backfill()))
    await engine.tick(job_id)
    told = await length(redis, job_id)

    for _ in range(30):
        await asyncio.sleep(0.01)  # the wait after a failure
        await engine.tick(job_id)
    assert remote.tried >= 20
    assert await length(redis, job_id) == told

    remote.there = True
    await asyncio.sleep(0.01)
    await engine.tick(job_id)
    assert remote.creates == 1
    job = await store.load(job_id)
    assert job is not None
    assert job.operations[0].outcome == pb.OPERATION_OUTCOME_ACCEPTED


async def length(redis: Redis, job_id: str) -> int:
    return int(await redis.llen(keys.log(job_id)))  # type: ignore[misc]
