"""A retry from end to end: a server takes it, a worker runs the dates, the emulator makes new instances."""

from __future__ import annotations

from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate.store import keys
from headgate.store.date_claims import hold_of
from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.server.world import serving
from tests.worker.conftest import RunWorker
from tests.worker.scenarios.test_backfill import ended, events_of
from tests.worker.submitting import backfill_job, seed_backfill, submit


async def test_named_dates_of_an_ended_backfill_run_again(
    store: Store, redis: Redis, redis_server: RedisServer, worker_settings: Settings, run_worker: RunWorker
) -> None:
    spec = seed_backfill(overlap=pb.OVERLAP_REJECT)
    async with run_worker(worker_settings), serving(redis_server.url) as world:
        job_id = await submit(store, backfill_job(spec))
        first = await ended(store, job_id)
        again = await world.jobs.RetryJob(
            pb.RetryJobRequest(name=first.name, biz_dates=[first.runs[1].biz_date], request_id="again")
        )
        held = hold_of(first)
        assert held is not None
        assert await redis.hkeys(held.key) == [held.days[1].encode()]  # type: ignore[misc]
        job = await ended(store, job_id)

    assert again.state == pb.JOB_STATE_RUNNING
    assert job.state == pb.JOB_STATE_SUCCEEDED, job
    assert job.runs[0] == first.runs[0]
    assert (job.runs[1].attempt, job.runs[1].state) == (2, pb.RUN_STATE_SUCCEEDED)
    assert job.runs[1].workflow_instance_id not in {0, *(run.workflow_instance_id for run in first.runs)}
    assert len(job.operations) == 2
    assert len(job.runs) == 2
    assert event_log.replay(await events_of(redis, keys.job_id(job.name))) == job
    assert not await redis.exists(held.key)
