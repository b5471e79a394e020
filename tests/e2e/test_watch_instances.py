"""Watching instances through everything: what any number of watchers costs upstream, by the emulator's own ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest

from headgate import pb
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_client import Client
from tests.worker.submitting import seed_backfill

pytestmark = pytest.mark.slow

RUN_SECONDS = 3.0


@pytest.fixture
async def deployment() -> AsyncIterator[Deployment]:
    settings = {
        "HEADGATE_EMULATOR_RUN_SECONDS": str(RUN_SECONDS),
        "HEADGATE_EMULATOR_CREATE_SECONDS": "0.1",
        "HEADGATE_POLL_MIN_SECONDS": "0.2",
        "HEADGATE_WATCH_POLL_MIN": "0.3",
    }
    async with Deployment(DeploymentOptions(environment=settings), lambda name, line: None) as found:
        yield found


async def reads(deployment: Deployment, instance_id: int) -> int:
    """How often upstream was asked for an instance."""
    url = f"{deployment.endpoints.emulator}/_admin/ledger"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        asked = (await answer.json())["rows"]
    return sum(row["action"] == "GetWorkflowInstance" and row["params"]["Id"] == str(instance_id) for row in asked)


async def created(client: Client) -> Sequence[int]:
    """Two instances that wait for each other in no way, and that were not started."""
    spec = pb.CreateWorkflowInstancesSpec()
    backfill = seed_backfill()
    spec.project_id, spec.name, spec.type = backfill.project_id, "watched", pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA
    spec.periods.biz_dates.extend(backfill.biz_dates)
    spec.default_run_properties.CopyFrom(backfill.default_run_properties)
    spec.default_run_properties.parallelism = 2
    job = await (await client.workflow_instances.create(spec)).result(20)
    return [run.workflow_instance_id for run in job.runs]


async def statuses(client: Client, instance_id: int) -> list[str]:
    async with client.workflow_instances.watch([instance_id]) as changes:
        return [row.workflow_instance.status_raw async for row in changes if row.HasField("workflow_instance")]


async def test_a_crowd_of_watchers_costs_what_one_costs(deployment: Deployment) -> None:
    async with Client(deployment.endpoints.target) as client:
        alone, crowded = await created(client)
        await (await client.workflow_instances.start([alone, crowded], until=pb.UNTIL_ACCEPTED)).result(20)
        before = [await reads(deployment, id_) for id_ in (alone, crowded)]

        one, *many = await asyncio.gather(statuses(client, alone), *(statuses(client, crowded) for _ in range(100)))

        assert one[-1] == "Success"
        assert {tuple(seen[-1:]) for seen in many} == {("Success",)}
        after = [await reads(deployment, id_) for id_ in (alone, crowded)]
    cost_of_one, cost_of_many = (b - a for a, b in zip(before, after, strict=True))
    assert cost_of_one >= 4
    assert abs(cost_of_many - cost_of_one) <= 3, f"{cost_of_one} reads for one watcher, {cost_of_many} for 100"


async def test_watchers_of_what_a_job_follows_cost_nothing(deployment: Deployment) -> None:
    async with Client(deployment.endpoints.target) as client:
        instance_id, _ = await created(client)
        job = await client.workflow_instances.start([instance_id])
        async for item in job.watch(start_revision=1):
            if item.revision and (await job.refresh()).runs[0].state == pb.RUN_STATE_RUNNING:
                break
        before = await reads(deployment, instance_id)
        usage_before = job.job.usage.upstream_reads if job.job else 0

        seen = await asyncio.gather(*(statuses(client, instance_id) for _ in range(50)))

        done = await job.result(20)
        after = await reads(deployment, instance_id)
    assert {tuple(found) for found in seen} == {("Running", "Success")}
    assert after - before <= done.usage.upstream_reads - usage_before + 1
