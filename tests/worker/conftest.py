"""What tests of the worker share: a real Redis, the emulator, and workers in this process or beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from alibabacloud_credentials.utils import auth_util
from pydantic import SecretStr
from redis.asyncio import Redis

from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.settings import Settings as EmulatorSettings
from headgate_worker import app
from headgate_worker.process.settings import Settings
from headgate_worker.store.clients import command_client
from headgate_worker.store.jobs import Store

RunWorker = Callable[..., Any]


@pytest.fixture
async def redis_server() -> AsyncIterator[RedisServer]:
    async with RedisServer(appendonly=True) as server:
        yield server
        await server.kill()  # asked to stop, it takes up to 0.1 s, and each test has its own


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = command_client(redis_server.url, connections=20)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis: Redis) -> Store:
    return Store(redis, lease_ms=2_000, grace_ms=300)


@pytest.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    settings = EmulatorSettings(listen="127.0.0.1:0", run_seconds=0.5, create_seconds=0.1)
    async with serve(settings) as running:
        yield running


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "testid")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "testsecret")
    # The SDK reads the environment once, on import, which another test may have brought about already.
    monkeypatch.setattr(auth_util, "environment_access_key_id", "testid")
    monkeypatch.setattr(auth_util, "environment_access_key_secret", "testsecret")
    monkeypatch.setattr(auth_util, "environment_security_token", None)


@pytest.fixture
def worker_settings(redis_server: RedisServer, emulator: RunningEmulator, credentials: None) -> Settings:
    return Settings(
        redis_url=SecretStr(redis_server.url),
        ops_listen="127.0.0.1:0",
        dataworks_endpoint=emulator.url,
        lease_seconds=2.0,
        reaper_seconds=0.2,
        poll_min_seconds=0.1,
        poll_max_seconds=0.5,
        adopt_grace_seconds=1.0,
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """A worker in this process's loop; its side door's address."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(app.run(settings, stop=stop, ready=ready.set_result))
        await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield ready.result()
        stop.set()


@pytest.fixture
def run_worker() -> RunWorker:
    return running


async def eventually(probe: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> None:
    """Wait until the probe says yes; TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while not await probe():
            await asyncio.sleep(0.02)
