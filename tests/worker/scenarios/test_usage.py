"""What a job is billed is what the emulator was asked, call by call; and when upstream is read is on record."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import ErrorReply, LostReply
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.scenarios.test_backfill import ended
from tests.worker.submitting import backfill_job, seed_backfill, submit

WRITES = {"CreateWorkflowInstances", "StartWorkflowInstances", "StopWorkflowInstances"}


async def billed(redis: Redis, job_ids: list[str]) -> dict[str, int]:
    """The sum of the bills of jobs."""
    names = ("reads", "writes", "throttled", "waited")
    rows = [await redis.hmget(keys.job(job_id), list(names)) for job_id in job_ids]  # type: ignore[misc]
    return {name: sum(int(row[i] or 0) for row in rows) for i, name in enumerate(names)}


def asked(emulator: RunningEmulator) -> dict[str, int]:
    """What the emulator was asked."""
    actions = [row.action for row in emulator.ledger.rows()]
    writes = sum(action in WRITES for action in actions)
    return {"reads": len(actions) - writes, "writes": writes}


async def test_the_bills_of_all_jobs_sum_up_to_the_ledger(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    throttled = ErrorReply(action="GetWorkflowInstance", code="Throttling.User", status=429, count=2)
    emulator.faults.add([throttled, LostReply(action="StartWorkflowInstances")])
    async with run_worker(worker_settings.model_copy(update={"call_seconds": 0.5})):
        job_ids = [await submit(store, backfill_job(seed_backfill())) for _ in range(3)]
        jobs = await asyncio.gather(*(ended(store, job_id) for job_id in job_ids))

    assert {job.state for job in jobs} == {pb.JOB_STATE_SUCCEEDED}
    bill = await billed(redis, job_ids)
    assert {name: bill[name] for name in ("reads", "writes")} == asked(emulator)
    assert bill["throttled"] == 2
    assert bill["waited"] == 0


async def test_a_wait_for_the_quota_is_on_the_bill(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    slow = worker_settings.model_copy(update={"dataworks_edition": "standard", "dataworks_total_qps": 4.0})
    async with run_worker(slow):
        job_id = await submit(store, backfill_job(seed_backfill()))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_SUCCEEDED
    bill = await billed(redis, [job_id])
    took_ms = job.end_time.ToMilliseconds() - job.create_time.ToMilliseconds()
    assert 1_000 <= bill["waited"] <= took_ms  # about ten calls, a quarter of a second apart


async def test_when_upstream_is_read_is_on_record_until_the_job_ends(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))

    async def polls() -> list[int]:
        return [int(value or 0) for value in await redis.hmget(keys.job(job_id), ["polled", "polls_at"])]  # type: ignore[misc]

    async def waits() -> bool:
        last, following = await polls()
        return 0 < last < following

    async with run_worker(worker_settings):
        await eventually(waits)
        last, following = await polls()
        assert following - last < 60_000
        await ended(store, job_id)

    last, following = await polls()
    assert last > 0
    assert following == 0
