"""Instances of one date that run side by side: one list for all of them, on real parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate import pb
from headgate_emulator.app import RunningEmulator
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker
from tests.worker.scenarios.test_backfill import ended
from tests.worker.submitting import SEED_PROJECT, days, new_job, seed_backfill, submit

pytestmark = pytest.mark.slow

COUNT = 6


async def test_what_runs_side_by_side_is_read_together(
    store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.world.rules = replace(emulator.world.rules, run_seconds=4.0)
    async with run_worker(worker_settings):
        ids = [await made(store, n) for n in range(COUNT)]
        rows = [
            pb.InstanceRun(index=n, workflow_instance_id=one, state=pb.RUN_STATE_CREATED, attempt=1)
            for n, one in enumerate(ids)
        ]
        before = len(emulator.ledger.rows(action="GetWorkflowInstance"))
        start = new_job(start=pb.StartWorkflowInstancesSpec(ids=ids), runs=rows)
        job = await ended(store, await submit(store, start))

    assert job.state == pb.JOB_STATE_SUCCEEDED
    lists = [row for row in emulator.ledger.rows(action="ListWorkflowInstances") if str(ids[0]) in str(row.params)]
    assert lists
    # Each is read when it is seen to run and when it is seen to have ended; what lies between is on the lists.
    alone = len(emulator.ledger.rows(action="GetWorkflowInstance")) - before
    assert alone <= 6 * COUNT, (alone, len(lists))


async def made(store: Store, number: int) -> int:
    """An instance of one date."""
    spec = pb.CreateWorkflowInstancesSpec(
        project_id=SEED_PROJECT,
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=1,
        name=f"side by side {number}",
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        periods=pb.Periods(biz_dates=days("2025-02-05", "2025-02-05")),
        default_run_properties=seed_backfill().default_run_properties,
    )
    job = await ended(store, await submit(store, new_job(create=spec, until=pb.UNTIL_ACCEPTED)))
    return job.operations[0].workflow_instance_ids[0]
