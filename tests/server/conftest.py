import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotReached

from headgate_cli.dev.redis_server import find_redis_server
from headgate_server.logs import audit_log
from headgate_server.logs.failed_calls import FailedCalls
from headgate_server.rpc import handlers
from tests.server.processes import READY, Process, Start, spawn
from tests.server.world import World, connected, serving


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_answer(port: int, process: "subprocess.Popen[bytes]") -> None:
    with Redis(port=port) as client:
        while process.poll() is None:
            try:
                client.ping()
                return
            except NotReached:
                continue
    raise RuntimeError("redis-server ended at once")


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, folder = _free_port(), tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([str(find_redis_server()), *options], stdout=subprocess.DEVNULL)
    try:
        _await_answer(port, process)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_failures_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log lines of a test's failures do not hang on those of the test before."""
    for module, name in ((handlers, "FAILED_CALLS"), (audit_log, "REFUSED")):
        monkeypatch.setattr(module, name, FailedCalls(logging.getLogger("headgate_server.access")))


@pytest.fixture
def redis_url(redis_port: int) -> str:
    with Redis(port=redis_port) as client:
        client.config_set("maxmemory", "0")
        client.flushall()
    return f"redis://127.0.0.1:{redis_port}/0"


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    async with serving(redis_url) as found:
        yield found


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith("HEADGATE_")]:
        monkeypatch.delenv(name)
    roots = [str(Path(__file__).parents[2] / root) for root in ("protos", "server")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(roots), "PYTHON": sys.executable}


@pytest.fixture
def start(clean_environment: dict[str, str], redis_url: str) -> Start:
    @asynccontextmanager
    async def started(**given: str) -> AsyncIterator[tuple[Process, World]]:
        process = await spawn(clean_environment, HEADGATE_REDIS_URL=redis_url, **given)
        try:
            assert process.stdout is not None
            match = READY.fullmatch((await process.stdout.readline()).decode())
            assert match is not None
            async with connected(match[1], f"http://{match[2]}", redis_url) as world:
                yield process, world
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return started
