"""The reads of the daily self-check, on a real Redis."""

from typing import Any

import pytest

from headgate.store import keys
from headgate_worker.store.job_checks import EVERY_MS, SampledJobs
from headgate_worker.store.jobs import Store
from tests.worker.submitting import backfill_job, seed_backfill, submit


@pytest.fixture
def jobs(redis: Any) -> SampledJobs:
    return SampledJobs(redis)


async def test_a_day_is_claimed_once(jobs: SampledJobs, redis: Any) -> None:
    assert await jobs.claim_check() and not await jobs.claim_check()
    assert EVERY_MS - 60_000 < await redis.pttl(keys.CHECKED) <= EVERY_MS


async def test_a_sample_has_each_job_once_and_no_more_than_there_are(jobs: SampledJobs, store: Store) -> None:
    assert await jobs.sample(5) == []
    ids = {await submit(store, backfill_job(seed_backfill())) for _ in range(3)}

    assert set(await jobs.sample(5)) == ids and len(await jobs.sample(5)) == 3
    assert len(set(await jobs.sample(2))) == 2


async def test_events_are_read_by_position_and_a_row_has_the_job(jobs: SampledJobs, store: Store, redis: Any) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    log = await redis.lrange(keys.log(job_id), 0, -1)

    assert await jobs.events(job_id, 0, 0) == log[:1] and await jobs.events(job_id, 5, 9) == []
    columns, length, first, *_ = await jobs.row(job_id)
    assert await redis.hget(keys.job(job_id), "uid") in columns and (length, first) == (len(log), log[0])
    assert (await jobs.row("nothing"))[:3] == [[None] * len(columns), 0, None]


async def test_dates_have_their_holders_and_a_key_of_another_type_has_none(jobs: SampledJobs, redis: Any) -> None:
    await redis.hset("claims", mapping={"20250205": "a"})
    await redis.set("text", "x")

    assert await jobs.holders("claims", ["20250205", "20250206"]) == [b"a", None]
    assert await jobs.holders("claims", []) == []
    assert await jobs.holders("text", ["20250205", "20250206"]) == [None, None]
