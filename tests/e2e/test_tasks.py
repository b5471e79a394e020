"""Task instances through everything: the command line and the client, server, Redis, worker, adapter, emulator."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from headgate import pb
from headgate_cli.dev.deployment import Deployment
from headgate_client import Client
from tests.cli.processes import headgate
from tests.e2e.test_seed_000 import deployment as deployment
from tests.worker.submitting import seed_backfill

pytestmark = pytest.mark.slow

LOG = "FAILED: ODPS-0130131:[1,15] Table not found - table orders_20250205 cannot be resolved"


async def add_fault(deployment: Deployment, **fault: Any) -> None:
    """Switch a fault of the emulator on."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{deployment.endpoints.emulator}/_admin/faults", json={"faults": [fault]}) as answer,
    ):
        answer.raise_for_status()


async def test_a_failed_date_is_looked_into_from_the_command_line(deployment: Deployment) -> None:
    target = deployment.endpoints.target
    await add_fault(deployment, kind="fail_run", task_name="load_orders", log=LOG)
    async with Client(target) as client:
        job = await client.backfills.create(seed_backfill())
        async for _ in job.watch():
            pass
        done = await job.refresh()
        instance = done.runs[0].workflow_instance_id
        (row,) = [task async for task in client.tasks.list(instance, status="Failure")]

    listed = await headgate("task", "list", str(instance), "--status", "Failure", target=target)
    by_date = await headgate("task", "list", "--project-id", "257880", "--biz-date", "2025-02-05", target=target)
    got = await headgate("task", "get", str(row.id), target=target)
    log = await headgate("tasks", "log", str(row.id), target=target)
    short = await headgate("task", "log", str(row.id), "--max-length", "8", target=target)
    unknown = await headgate("task", "get", "5", target=target)
    nowhere = await headgate("task", "list", target=target)

    assert done.runs[0].state == pb.RUN_STATE_FAILED
    assert done.runs[0].failure_digest.task_name == "load_orders"
    assert "task load_orders failed" in done.error.message
    assert row.task_name == "load_orders"
    assert [line.split()[:5] for line in listed.out.splitlines()[1:]] == [
        [str(row.id), str(row.task_id), "load_orders", row.task_type, "Failure"]
    ]
    assert str(row.id) in by_date.out
    fields = dict(line.split(maxsplit=1) for line in got.out.splitlines()[1:])
    assert fields["task_name"] == "load_orders"
    assert (fields["biz_date"], fields["timeout"], fields["project_env"]) == ("2025-02-05", "3600 s", "ENV_TYPE_PROD")
    assert log.out.splitlines() == ["INFO task begins", LOG, "ERROR task ends, exit code 1"]
    assert short.out == " code 1\n"
    assert "this is a part of the log" in short.err
    assert (unknown.status, nowhere.status) == (4, 2)


async def test_a_failed_task_is_repaired_and_its_instance_succeeds(deployment: Deployment) -> None:
    target = deployment.endpoints.target
    await add_fault(deployment, kind="fail_run", task_name="load_orders", log=LOG)
    async with Client(target) as client:
        failed = await (await client.backfills.create(seed_backfill())).result(raise_on_failure=False)
        instance = failed.runs[0].workflow_instance_id
        (task,) = [one async for one in client.tasks.list(instance, status="Failure")]
        checked = await client.tasks.rerun([task.id], validate_only=True)
        rerun = await headgate("task", "rerun", str(task.id), "--comment", "table is back", "--wait", target=target)
        again = await client.tasks.get(task.id)
        refused = await (await client.tasks.set_success([task.id, 5])).result(raise_on_failure=False)
        stopped = await headgate("task", "stop", str(task.id), "--until", "Started", target=target)
        suspended = await headgate("task", "suspend", str(task.id), "--wait", target=target)
        resumed = await headgate("task", "resume", str(task.id), "--wait", target=target)

    assert checked.job is not None
    assert rerun.status == 0, rerun
    assert (again.status, again.run_number) == ("Success", 2)
    assert [run.state for run in refused.runs] == [pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED]
    assert stopped.status == 2
    assert (suspended.status, resumed.status) == (0, 0)
