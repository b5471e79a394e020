"""A worker as a process: it says when it is ready, drains on SIGTERM, and refuses what would lose jobs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator
from headgate_worker.store.jobs import Store
from tests.worker.conftest import eventually
from tests.worker.submitting import backfill_job, seed_backfill, submit

pytestmark = pytest.mark.slow


@asynccontextmanager
async def process(**environment: str) -> AsyncIterator[Process]:
    """A worker process; killed at the end if it still runs."""
    found = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headgate_worker", env={**os.environ, **environment}, stdout=PIPE, stderr=PIPE
    )
    try:
        yield found
    finally:
        if found.returncode is None:
            found.kill()
        await found.wait()


async def ready(worker: Process) -> str:
    """The address of the side door, once the worker has said that it is ready."""
    assert worker.stdout is not None
    async with asyncio.timeout(30):
        line = (await worker.stdout.readline()).decode()
    assert line.startswith("headgate worker ready ops=127.0.0.1:"), line
    return line.strip().split("ops=")[1]


def environment(server: RedisServer, emulator: RunningEmulator) -> dict[str, str]:
    return {
        "HEADGATE_REDIS_URL": server.url,
        "HEADGATE_OPS_LISTEN": "127.0.0.1:0",
        "HEADGATE_DATAWORKS_ENDPOINT": emulator.url,
        "HEADGATE_POLL_MIN_SECONDS": "0.1",
    }


async def test_a_worker_answers_drains_and_exits_0(
    redis_server: RedisServer, redis: Redis, store: Store, emulator: RunningEmulator, credentials: None
) -> None:
    async with process(**environment(redis_server, emulator)) as worker:
        address = await ready(worker)
        async with aiohttp.ClientSession() as session:
            for path in ("healthz", "readyz", "metrics"):
                async with session.get(f"http://{address}/{path}") as answer:
                    assert answer.status == 200, path
        job_id = await submit(store, backfill_job(seed_backfill()))

        async def begun() -> bool:
            job = await store.load(job_id)
            return job is not None and job.revision > 2

        await eventually(begun)
        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await worker.wait() == 0
        assert worker.stderr is not None
        logged = (await worker.stderr.read()).decode()

    assert "testsecret" not in logged
    assert not [key async for key in redis.scan_iter("arq:in-progress:*")]
    assert await redis.hget(keys.job(job_id), "att") == b"0"  # type: ignore[misc]
    assert await redis.hget(keys.job(job_id), "lease") == b"0"  # type: ignore[misc]


async def test_an_evicting_store_is_refused(redis_server: RedisServer, redis: Redis) -> None:
    await redis.config_set("maxmemory", "100mb")
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    async with process(HEADGATE_REDIS_URL=redis_server.url) as worker:
        _, complaint = await worker.communicate()

    assert worker.returncode == 1
    assert b"allkeys-lru" in complaint
    assert b"noeviction" in complaint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADGATE_TICK_SLOTS", "many"),
        ("HEADGATE_LEASE_SECONDS", "0"),
        ("HEADGATE_CRASH_AT", "nowhere"),
        ("HEADGATE_DATAWORKS_ENDPOINT", "ftp://x"),
    ],
)
async def test_a_bad_setting_stops_the_process_and_is_named(
    redis_server: RedisServer, credentials: None, name: str, value: str
) -> None:
    async with process(**{"HEADGATE_REDIS_URL": redis_server.url, name: value}) as worker:
        _, complaint = await worker.communicate()

    assert worker.returncode == 2, complaint
    assert name.removeprefix("HEADGATE_").split("_")[-1].lower() in complaint.decode().lower()


async def test_an_absent_store_is_said_without_its_password() -> None:
    async with process(HEADGATE_REDIS_URL="redis://user:hunter2@127.0.0.1:1/0") as worker:
        _, complaint = await worker.communicate()

    assert worker.returncode == 1
    assert b"HEADGATE_REDIS_URL" in complaint
    assert b"hunter2" not in complaint


@pytest.mark.parametrize("form", ["text", "json"])
async def test_no_entry_id_writes_a_line_of_its_own(
    redis_server: RedisServer, redis: Redis, emulator: RunningEmulator, credentials: None, form: str
) -> None:
    forged = "2025-02-05 00:00:00,000 INFO    headgate_worker: all is well"
    entry_id = f"tick:a\n{forged}\r{forged}\x1b[2K"
    await redis.set(f"arq:job:{entry_id}", b"nonsense")
    await redis.zadd(keys.TICKS, {entry_id: 1})

    async with process(**environment(redis_server, emulator), HEADGATE_LOG_FORMAT=form) as worker:
        await ready(worker)
        assert worker.stderr is not None
        async with asyncio.timeout(20):
            while b"not understood" not in (line := await worker.stderr.readline()):
                assert not line.startswith(forged.encode())

    assert forged.encode() in line, "the id was told on another line"
    assert b"\r" not in line and b"\x1b" not in line


ELSEWHERE = "http://192.0.2.1:18080"


async def test_an_upstream_in_the_open_is_refused(redis_server: RedisServer, credentials: None, tmp_path: Path) -> None:
    named = tmp_path / "connections.toml"
    named.write_text(f'[connections.a]\nkind = "dataworks"\nendpoint = "{ELSEWHERE}"\n')
    for given in ({"HEADGATE_DATAWORKS_ENDPOINT": ELSEWHERE}, {"HEADGATE_CONNECTIONS": str(named)}):
        base = {"HEADGATE_REDIS_URL": redis_server.url, "HEADGATE_OPS_LISTEN": "127.0.0.1:0"}
        async with process(**base, **given) as worker:
            async with asyncio.timeout(30):
                _, errors = await worker.communicate()
        assert worker.returncode == 2
        assert b"say HEADGATE_ALLOW_INSECURE=plaintext-upstream" in errors and b"Traceback" not in errors


async def test_one_that_is_meant_is_warned_of_and_shown(
    redis_server: RedisServer, redis: Redis, emulator: RunningEmulator, credentials: None
) -> None:
    given = {"HEADGATE_DATAWORKS_ENDPOINT": ELSEWHERE, "HEADGATE_ALLOW_INSECURE": "open,plaintext-upstream"}
    async with process(**{**environment(redis_server, emulator), **given}) as worker:
        address = await ready(worker)
        async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
            page = await answer.text()
        if sys.platform == "linux":
            limits = await asyncio.to_thread(Path(f"/proc/{worker.pid}/limits").read_text)
            assert next(line for line in limits.splitlines() if "core" in line).split()[4:6] == ["0", "0"]
        worker.send_signal(signal.SIGTERM)
        assert worker.stderr is not None
        logged = (await worker.stderr.read()).decode()

    assert 'headgate_insecure{fact="plaintext-upstream"} 1.0' in page
    assert "WARNING" in logged and "plaintext-upstream is meant by HEADGATE_ALLOW_INSECURE" in logged
