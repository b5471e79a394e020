"""The client with tokens, against a real server that wants them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from headgate import pb
from headgate_cli.dev.redis_server import RedisServer
from headgate_client import Client, ClientOptions, HeadgateError, SnapshotItem, TokenFile, WatchOptions
from headgate_server.auth import access_control
from tests.client.rpc.test_options import replace
from tests.server.callers import entry, token_entry, write
from tests.server.world import World, backfill, serving


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "callers.toml", entry("etl", token_entry("first"), connections=["a"]))


@pytest.fixture
async def world(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(access_control, "LOOK_SECONDS", 0.02)
    async with RedisServer() as redis, serving(redis.url, callers=path) as found:
        yield found


async def test_a_call_without_a_good_token_says_what_to_do(world: World) -> None:
    for token, reason in (("", "TOKEN_MISSING"), ("wrong", "TOKEN_INVALID")):
        async with Client(world.address, options=ClientOptions(token=token)) as client:
            with pytest.raises(HeadgateError, match="operator") as caught:
                await client.jobs.count()
            assert (caught.value.reason, caught.value.is_denied, caught.value.is_retryable) == (reason, True, False)


async def test_a_call_that_is_not_allowed_says_what_is(world: World) -> None:
    async with Client(world.address, options=ClientOptions(token="first")) as client:
        with pytest.raises(HeadgateError, match="connection ''") as caught:
            await client.backfills.create(backfill().spec)
        assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED and caught.value.is_denied
        with pytest.raises(HeadgateError, match="jobs/nobody"):
            await client.jobs.get("nobody")


async def test_a_watch_outlives_its_token_when_there_is_another(world: World, path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    replace(secret, "first")
    options = ClientOptions(token=TokenFile(secret), watch=WatchOptions(progress_interval=1))
    async with Client(world.address, options=options) as client:
        spec, name = backfill().spec, "seed"
        job = await client.backfills.create(spec, job_id=name, connection="a")
        watch = job.watch()
        assert isinstance(await anext(watch), SnapshotItem)

        write(path, entry("etl", token_entry("second"), connections=["a"]))
        replace(secret, "second")
        last = None
        async with asyncio.timeout(20):
            while not await reaches(client):
                continue
            await world.worker.finish(name)
            async for item in watch:
                last = item

        assert last is not None and watch.job is not None and watch.job.state == pb.JOB_STATE_SUCCEEDED


async def test_a_watch_ends_with_its_token_when_there_is_no_other(world: World, path: Path) -> None:
    options = ClientOptions(token="first", watch=WatchOptions(progress_interval=1))
    async with Client(world.address, options=options) as client:
        job = await client.backfills.create(backfill().spec, connection="a")
        watch = job.watch()
        await anext(watch)

        write(path, entry("etl", token_entry("second")))

        with pytest.raises(HeadgateError) as caught:
            async with asyncio.timeout(20):
                while True:
                    await anext(watch)
        assert caught.value.reason == "TOKEN_INVALID"


async def reaches(client: Client) -> bool:
    try:
        await client.jobs.count()
    except HeadgateError as error:
        assert error.reason == "TOKEN_INVALID"
        return False
    return True
