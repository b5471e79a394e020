"""The server as a process: its one line, its signals, its exit statuses, what it imports and what it shows."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from aiohttp import ClientSession
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis import Redis

from headgate import pb
from headgate.process import redis_url
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_server.process import settings
from headgate_server.process.runtime_tuning import COLLECTOR
from tests.server.callers import write
from tests.server.world import World, connected, gather_until_end, until

Process = asyncio.subprocess.Process
Start = Callable[..., AbstractAsyncContextManager[tuple[Process, World]]]

READY = re.compile(r"headgate server ready grpc=(127\.0\.0\.1:\d+) ops=(127\.0\.0\.1:\d+)\n")


async def spawn(environment: dict[str, str], **given: str) -> Process:
    variables = {"HEADGATE_LISTEN": "127.0.0.1:0", "HEADGATE_OPS_LISTEN": "127.0.0.1:0", **given}
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "headgate_server")
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env={**environment, **variables})


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


async def test_sigterm_drains_tells_the_watchers_and_exits_with_0(start: Start) -> None:
    async with start(HEADGATE_RECONNECT_SPREAD="2") as (process, world):
        job_id = await world.submit()
        calls = [world.watch(job_id) for _ in range(20)]
        for call in calls:
            await call.read()

        process.send_signal(signal.SIGTERM)

        ends = [(await gather_until_end(call))[-1].end for call in calls]
        assert {end.reason for end in ends} == {pb.STREAM_END_REASON_SERVER_DRAINING}
        assert {end.resume_revision for end in ends} == {2}
        delays = [end.reconnect_delay.ToMilliseconds() for end in ends]
        assert max(delays) <= 2_000 and len(set(delays)) > 10
        assert await process.wait() == 0


async def test_sigint_ends_it_too(start: Start) -> None:
    async with start() as (process, _):
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def test_calls_in_flight_are_finished_while_draining(start: Start) -> None:
    async with start() as (process, world):
        process_ended = asyncio.create_task(process.wait())
        calls = [asyncio.ensure_future(world.submit()) for _ in range(50)]
        await calls[0]
        process.send_signal(signal.SIGTERM)

        results = await asyncio.gather(*calls, return_exceptions=True)

        codes = {error.code() for error in results if isinstance(error, grpc.RpcError)}
        assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert await process_ended == 0


async def test_health_ready_and_metrics_are_shown(start: Start) -> None:
    async with start() as (_, world), ClientSession() as session:
        await world.submit()
        await until(lambda: is_ready(session, world))
        async with session.get(f"{world.ops}/healthz") as response:
            assert response.status == 200
        async with session.get(f"{world.ops}/metrics") as response:
            page = await response.text()
    assert 'headgate_rpc_total{code="OK",method="headgate.v1.BackfillService.CreateBackfill"} 1.0' in page
    for name in (
        "headgate_rpc_seconds",
        "headgate_open_watches",
        "headgate_hub_lag_seconds",
        "headgate_commit_group_size",
    ):
        assert name in page


async def is_ready(session: ClientSession, world: World) -> bool:
    async with session.get(f"{world.ops}/readyz") as response:
        return response.status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADGATE_LISTEN", "nowhere"),
        ("HEADGATE_OPS_LISTEN", "127.0.0.1:99999"),
        ("HEADGATE_REDIS_URL", "http://127.0.0.1"),
        ("HEADGATE_PROCESSES", "0"),
        ("HEADGATE_JOB_TTL", "soon"),
        ("HEADGATE_MAX_STREAM_AGE", "-1"),
        ("HEADGATE_LOG_FORMAT", "xml"),
        ("HEADGATE_TLS_CERT", "/nowhere/cert.pem"),
        ("HEADGATE_TLS_CLIENT_CA", "/nowhere/ca.pem"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(settings.BadSettings, match=name):
        settings.load()


async def test_a_wrong_setting_stops_the_process(clean_environment: dict[str, str]) -> None:
    process = await spawn(clean_environment, HEADGATE_PROCESSES="many")
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert errors.decode().startswith("headgate server: HEADGATE_PROCESSES: ")


async def test_a_store_that_evicts_stops_the_process(
    clean_environment: dict[str, str], redis_url: str, redis_port: int
) -> None:
    with Redis(port=redis_port) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            process = await spawn(clean_environment, HEADGATE_REDIS_URL=redis_url)
            _, errors = await process.communicate()
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "0")

    assert process.returncode == 1
    assert b"maxmemory-policy" in errors and b"Traceback" not in errors


async def test_no_store_stops_the_process_without_showing_the_password(clean_environment: dict[str, str]) -> None:
    process = await spawn(clean_environment, HEADGATE_REDIS_URL="redis://me:hunter2@127.0.0.1:1/0?password=hunter2")
    output, errors = await process.communicate()

    assert process.returncode == 1
    assert b"StoreUnavailable" in errors
    assert b"hunter2" not in output + errors and b"Traceback" not in errors


async def test_a_taken_port_stops_the_process(start: Start, clean_environment: dict[str, str], redis_url: str) -> None:
    async with start() as (_, world):
        process = await spawn(clean_environment, HEADGATE_REDIS_URL=redis_url, HEADGATE_LISTEN=world.address)
        _, errors = await process.communicate()

    assert process.returncode == 1
    assert b"HEADGATE_LISTEN" in errors


async def test_the_server_imports_neither_the_cloud_sdk_nor_arq(clean_environment: dict[str, str]) -> None:
    script = "import sys, headgate_server.__main__; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=pipe, env=clean_environment)
    output, _ = await process.communicate()

    modules = output.decode().split()
    assert "headgate_server" in modules and "grpc" in modules
    forbidden = ("arq", "alibabacloud", "darabonba", "Tea", "headgate_worker", "headgate_client", "headgate_emulator")
    assert [name for name in modules if name.startswith(forbidden)] == []


async def test_the_collector_lets_what_is_on_its_way_be_sent(clean_environment: dict[str, str]) -> None:
    script = "import gc, headgate_server.__main__ as it; it._run = lambda _: print(gc.get_threshold()); it.main([])"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=pipe, env=clean_environment)
    output, _ = await process.communicate()

    assert output.decode().strip() == str(COLLECTOR)


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies are Linux'")
async def test_no_thread_of_a_server_cuts_another_one_short(start: Start) -> None:
    async with start() as (process, _):
        assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH


def test_secrets_are_masked_when_settings_are_shown() -> None:
    shown = settings.load(redis_url="rediss://me:hunter2@host:1/0?ssl_keyfile=k").masked()

    assert shown["HEADGATE_REDIS_URL"] == "rediss://me:***@host:1/0?***"
    assert "hunter2" not in str(shown)
    assert redis_url.mask("redis://host:1/0") == "redis://host:1/0"
    assert redis_url.mask("redis://:hunter2@host") == "redis://:***@host"


async def test_log_lines_can_be_json(start: Start) -> None:
    async with start(HEADGATE_LOG_FORMAT="json") as (process, _):
        assert process.stderr is not None
        line = await process.stderr.readline()
        assert line.startswith(b'{"time": "') and b'"level": "INFO"' in line


def test_the_environment_of_the_tests_is_clean(clean_environment: dict[str, str]) -> None:
    assert not [name for name in os.environ if name.startswith("HEADGATE_")]
    assert clean_environment["PYTHONPATH"]


async def test_several_processes_share_one_port(start: Start) -> None:
    async with start(HEADGATE_PROCESSES="2") as (process, world):
        for _ in range(40):
            async with grpc.aio.insecure_channel(world.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
                await JobServiceStub(channel).CountJobs(pb.CountJobsRequest())
        async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
            page = await response.text()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0

    match = re.search(r'headgate_rpc_total{code="OK",method="headgate.v1.JobService.CountJobs"} (\d+)', page)
    assert match is not None
    assert 0 < int(match[1]) < 40


async def test_the_end_of_one_process_ends_all(start: Start) -> None:
    async with start(HEADGATE_PROCESSES="2") as (process, _):
        children = children_of(process.pid)
        assert len(children) == 2

        os.kill(children[0], signal.SIGKILL)

        assert await process.wait() == 1
        assert not [pid for pid in children if is_alive(pid)]


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_no_process_outlives_its_parent(start: Start) -> None:
    async with start(HEADGATE_PROCESSES="2") as (process, _):
        children = children_of(process.pid)
        process.kill()
        await process.wait()

        await until(lambda: not any(map(is_alive, children)))


async def test_a_server_that_says_it_is_ready_is_ready(start: Start) -> None:
    async with start() as (_, world):
        stub = health_pb2_grpc.HealthStub(world.channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest())

    assert reply.status == health_pb2.HealthCheckResponse.SERVING


OPEN = {"HEADGATE_PUBLISHED": "192.0.2.1"}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (OPEN, b"=open"),
        ({"HEADGATE_LISTEN": "0.0.0.0:0"}, b"=open"),
        ({**OPEN, "HEADGATE_CALLERS": "x"}, b"=plaintext-"),
    ],
)
async def test_a_start_in_the_open_is_refused(
    clean_environment: dict[str, str], redis_url: str, tmp_path: Path, given: dict[str, str], word: bytes
) -> None:
    if "HEADGATE_CALLERS" in given:
        given = {**given, "HEADGATE_CALLERS": str(write(tmp_path / "callers.toml"))}
    process = await spawn(clean_environment, HEADGATE_REDIS_URL=redis_url, **given)
    _, errors = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 2
    assert b"HEADGATE_ALLOW_INSECURE" + word in errors and b"Traceback" not in errors


async def test_a_start_in_the_open_that_is_meant_is_warned_of_and_shown(start: Start) -> None:
    async with start(**OPEN, HEADGATE_ALLOW_INSECURE="open") as (process, world):
        async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
            page = await response.text()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        logged = (await process.stderr.read()).decode()

    assert 'headgate_insecure{fact="open"} 1.0' in page and 'headgate_insecure{fact="plaintext-tokens"} 0.0' in page
    assert "WARNING" in logged and "open is meant by HEADGATE_ALLOW_INSECURE: everyone" in logged


async def test_a_server_that_listens_here_only_says_nothing_of_it(start: Start) -> None:
    async with start() as (process, world):
        async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
            assert 'headgate_insecure{fact="open"} 0.0' in await response.text()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert b"WARNING" not in await process.stderr.read()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of processes are read from /proc")
async def test_a_crash_leaves_no_core(start: Start) -> None:
    async with start() as (process, _):
        limits = await asyncio.to_thread(Path(f"/proc/{process.pid}/limits").read_text)

    (row,) = [line for line in limits.splitlines() if "core" in line]
    assert row.split()[4:6] == ["0", "0"]
