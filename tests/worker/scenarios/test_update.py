"""An update while a real worker runs a backfill: what is created after it goes by it, what went out before does not."""

from __future__ import annotations

import json

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.server.world import serving
from tests.worker.conftest import RunWorker, eventually
from tests.worker.scenarios.test_backfill import ended, requests
from tests.worker.submitting import backfill_job, days, seed_backfill, submit

pytestmark = pytest.mark.slow


async def test_dates_that_are_not_created_yet_go_by_the_new_parallelism(
    redis_server: RedisServer,
    redis: Redis,
    store: Store,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
) -> None:
    spec = seed_backfill(max_created_ahead=2)
    del spec.biz_dates[:]
    spec.biz_dates.extend(days("2025-02-05", "2025-02-10"))
    change = pb.UpdateJobRequest(job=pb.Job(backfill=pb.BackfillSpec()))
    change.job.backfill.default_run_properties.parallelism = 2

    async with run_worker(worker_settings), serving(redis_server.url) as world:
        job_id = await submit(store, backfill_job(spec))
        change.job.name = keys.job_name(job_id)

        async def is_created() -> bool:
            job = await store.load(job_id)
            return job is not None and any(run.workflow_instance_id for run in job.runs)

        await eventually(is_created)
        await world.jobs.UpdateJob(change)
        job = await ended(store, job_id)

    assert (job.state, job.counts.succeeded) == (pb.JOB_STATE_SUCCEEDED, 6)
    creates = [params for action, params in requests(emulator) if action == "CreateWorkflowInstances"]
    sent = [json.loads(params["DefaultRunProperties"])["Parallelism"] for params in creates]
    assert (sent[0], sent[-1]) == (1, 2)
    assert job.operations[0].parallelism == 1
    assert job.operations[-1].parallelism == 0, "that of the spec"
