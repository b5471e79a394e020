"""A tick belongs to one life of a job id, as everything does that is kept of a job."""

from __future__ import annotations

from redis.asyncio import Redis

from headgate.store import keys
from headgate.store.commit import Committed, Fenced
from headgate_worker.store.jobs import Store
from tests.worker.store.test_jobs import RUNNING, change, taken
from tests.worker.submitting import backfill_job, everything, seed_backfill, submit


async def test_a_tick_of_an_earlier_job_of_the_id_neither_writes_nor_keeps_nor_gives_back(
    store: Store, redis: Redis
) -> None:
    first, second = (backfill_job(seed_backfill(), name="jobs/x") for _ in range(2))
    zombie = await taken(store, await submit(store, first))
    await redis.delete(keys.job("x"), keys.log("x"))
    successor = await taken(store, await submit(store, second))
    before = await everything(redis)

    assert zombie.job.revision == successor.job.revision
    assert await store.commit(change(zombie, RUNNING)) == Fenced()
    assert not await store.renew("x", zombie.fence)
    await store.release("x", zombie.fence, uncount=True)
    assert await everything(redis) == before
    assert isinstance(await store.commit(change(successor, RUNNING)), Committed)
