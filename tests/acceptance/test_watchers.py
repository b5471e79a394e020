"""N3: every call upstream is on a job's bill, however many watch. Real server, worker, Redis and emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from headgate import pb
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_client import Client, EndItem, JobHandle
from tests.worker.submitting import seed_backfill

pytestmark = pytest.mark.slow

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


async def lived(watchers: int) -> int:
    """What a backfill with so many watchers costs: calls upstream, every one of which is on the job's bill."""
    async with (
        Deployment(DeploymentOptions(environment=SETTINGS), lambda name, line: None) as deployment,
        Client(deployment.endpoints.target) as client,
    ):
        job = await client.backfills.create(seed_backfill(), job_id="watched")

        ends = await asyncio.gather(*(follow(job) for _ in range(watchers)))

        usage = (await job.refresh()).usage
        made = await calls(deployment)
    assert set(ends) == {pb.STREAM_END_REASON_JOB_TERMINAL}
    assert made == usage.upstream_reads + usage.upstream_writes
    return made


async def test_two_hundred_watchers_cost_the_cloud_what_one_costs(
    record_property: Callable[[str, object], None],
) -> None:
    """In real time a read or two more or less is chance."""
    one, many = await lived(1), await lived(200)

    record_property("calls with 1 watcher, with 200", f"{one}, {many}")
    assert one >= 8
    assert many <= one + 3
