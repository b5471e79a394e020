"""N3: every call upstream is on a job's bill, however many watch. Real server, worker, Redis and emulator."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from headgate import pb
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_client import Client, EndItem, JobHandle
from tests.worker.submitting import seed_backfill

SETTINGS = {"HEADGATE_EMULATOR_RUN_SECONDS": "1.5", "HEADGATE_POLL_MIN_SECONDS": "0.2"}


async def calls(deployment: Deployment) -> int:
    """How often upstream was asked for anything."""
    url = f"{deployment.endpoints.emulator}/_admin/ledger"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return len((await answer.json())["rows"])


async def follow(job: JobHandle) -> pb.StreamEndReason.ValueType:
    """Watch a job to its end."""
    async for item in job.watch(start_revision=1):
        if isinstance(item, EndItem):
            return item.end.reason
    raise AssertionError("the stream has ended without saying so")


@pytest.mark.parametrize("watchers", [1, 200])
async def test_watchers_cost_the_cloud_nothing(watchers: int) -> None:
    async with (
        Deployment(DeploymentOptions(environment=SETTINGS), lambda name, line: None) as deployment,
        Client(deployment.endpoints.target) as client,
    ):
        job = await client.backfills.create(seed_backfill(), job_id="watched")

        ends = await asyncio.gather(*(follow(job) for _ in range(watchers)))

        usage = (await job.refresh()).usage
        assert set(ends) == {pb.STREAM_END_REASON_JOB_TERMINAL}
        assert await calls(deployment) == usage.upstream_reads + usage.upstream_writes
