"""One job's log has a bound that no honest job comes near; a job that reaches it ends there, and says so."""

from __future__ import annotations

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from redis.asyncio import Redis

from headgate import pb
from headgate.job import log_bounds
from headgate.job.log_bounds import LogBounds
from headgate.store import keys
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.submitting import backfill_job, seed_backfill, submit


async def state_of(store: Store, job_id: str) -> pb.JobState.ValueType:
    job = await store.load(job_id)
    assert job is not None
    return job.state


@pytest.mark.parametrize("bounds", [LogBounds(events=4), LogBounds(bytes=2_000)], ids=["events", "bytes"])
async def test_a_job_whose_log_is_full_ends_and_says_so(
    redis: Redis,
    store: Store,
    worker_settings: Settings,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
    bounds: LogBounds,
) -> None:
    monkeypatch.setattr(log_bounds, "WORKERS", bounds)
    job_id = await submit(store, backfill_job(seed_backfill()))
    async with run_worker(worker_settings):
        await eventually(lambda: is_failed(store, job_id))

    job = await store.load(job_id)
    assert job is not None
    told = ErrorInfo()
    assert job.error.details[0].Unpack(told)
    assert told.reason == "LOG_FULL"
    events = await redis.lrange(keys.log(job_id), 0, -1)  # type: ignore[misc]
    assert "log has reached its bound" in pb.JobEvent.FromString(events[-1]).message
    assert len(events) <= (bounds.events or 20) + 1
    assert await redis.zscore(keys.TICKS, job_id) is None and await redis.zscore(keys.DUE, job_id) is None


async def is_failed(store: Store, job_id: str) -> bool:
    return await state_of(store, job_id) == pb.JOB_STATE_FAILED
