"""SIGKILL at every point of a tick, in a real process: the job ends as if nothing had happened; nothing is doubled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill.reprocess import is_left_alone
from headgate.job import event_log
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from headgate_worker.ticks.tick import POINTS
from tests.worker.conftest import RunWorker
from tests.worker.scenarios.test_backfill import ended, events_of
from tests.worker.store.test_stop_records import running
from tests.worker.submitting import backfill_job, cancel, seed_backfill, submit

pytestmark = pytest.mark.slow

CASES = [
    *[f"taken:{n}" for n in (1, 2)],
    *[f"committing:{n}" for n in (1, 2, 3, 4, 6)],
    *[f"committed:{n}" for n in (1, 2, 3, 4, 6)],
    *[f"intended:{n}" for n in (1, 2, 3, 5)],
    *[f"answered:{n}" for n in (1, 2, 3, 5)],
]

UNDECIDABLE = {"committed:1", "intended:1"}
"""Dead after the intent to create was recorded and before it was sent: only a person can tell that it never was."""


def test_every_point_is_in_the_matrix() -> None:
    assert {case.split(":")[0] for case in CASES} == set(POINTS)


async def killed_worker(settings: Settings, crash_at: str) -> int:
    """Run a worker process that dies at a point; its return code."""
    environment = {
        **os.environ,
        "HEADGATE_REDIS_URL": settings.redis_url.get_secret_value(),
        "HEADGATE_OPS_LISTEN": "127.0.0.1:0",
        "HEADGATE_DATAWORKS_ENDPOINT": settings.dataworks_endpoint,
        "HEADGATE_POLL_MIN_SECONDS": "0.1",
        "HEADGATE_LEASE_SECONDS": "1",
        "HEADGATE_CRASH_AT": crash_at,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headgate_worker", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("crash_at", CASES)
async def test_a_killed_tick_loses_and_doubles_nothing(
    crash_at: str,
    redis_server: RedisServer,
    redis: Redis,
    store: Store,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
) -> None:
    job_id = await submit(store, backfill_job(seed_backfill()))
    assert await killed_worker(worker_settings, crash_at) == -signal.SIGKILL

    recovering = worker_settings.model_copy(update={"settle_seconds": 0.5})
    async with run_worker(recovering):
        job = await ended(store, job_id)

    assert event_log.replay(await events_of(redis, job_id)) == job
    creates = [row for row in emulator.ledger.rows(action="CreateWorkflowInstances") if row.applied]
    if crash_at in UNDECIDABLE:
        assert job.state == pb.JOB_STATE_NEEDS_ATTENTION
        assert not creates
        return
    assert job.state == pb.JOB_STATE_SUCCEEDED, job.error
    assert len(creates) == 1
    assert [run.workflow_instance_id for run in job.runs] == [1000341554601, 1000341554605]


SURVEY_CASES = ["committing:1", "committed:1", "intended:2", "answered:1", "answered:4", "taken:1"]


@pytest.mark.parametrize("crash_at", SURVEY_CASES)
async def test_a_killed_survey_creates_what_is_missing_and_nothing_else(
    crash_at: str,
    redis_server: RedisServer,
    redis: Redis,
    store: Store,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
) -> None:
    wider = seed_backfill(reprocess=pb.REPROCESS_MISSING_ONLY)
    wider.biz_dates[0].end_biz_date.day = 8
    async with run_worker(worker_settings):
        await ended(store, await submit(store, backfill_job(seed_backfill())))

    job_id = await submit(store, backfill_job(wider))
    assert await killed_worker(worker_settings, crash_at) == -signal.SIGKILL
    async with run_worker(worker_settings):
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_SUCCEEDED, job.error
    assert [is_left_alone(run) for run in job.runs] == [True, True, False, False]
    creates = [row for row in emulator.ledger.rows(action="CreateWorkflowInstances") if row.applied]
    assert [json.loads(str(row.params["Periods"]))["BizDates"] for row in creates[1:]] == [
        [{"StartBizDate": "2025-02-07", "EndBizDate": "2025-02-08"}]
    ]
    surveys = [event for event in await events_of(redis, job_id) if event.type == pb.EVENT_TYPE_SURVEYED]
    assert len(surveys) == 1


async def test_a_stop_whose_worker_was_killed_is_told_as_the_jobs_own(
    redis_server: RedisServer,
    store: Store,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
) -> None:
    """The date has ended by the time it is asked again, so that upstream refuses that stop."""
    emulator.world.rules = replace(emulator.world.rules, run_seconds=3600, stop_seconds=0)
    async with run_worker(worker_settings):
        job_id = await submit(store, backfill_job(seed_backfill()))
        await running(store, job_id)
    job = await store.load(job_id)
    assert job is not None
    await cancel(store, job)
    assert await killed_worker(worker_settings, "answered:1") == -signal.SIGKILL
    assert [row.applied for row in emulator.ledger.rows(action="StopWorkflowInstances")] == [True]

    async with run_worker(worker_settings):
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_CANCELLED
    assert [(run.state, run.stopped_by) for run in job.runs] == [(pb.RUN_STATE_STOPPED, pb.STOPPED_BY_HEADGATE)] * 2
