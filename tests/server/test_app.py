"""The server as a process: its one line, its signals, its exit statuses, what it imports."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis import Redis

from headgate import pb
from tests.server.processes import Start, spawn
from tests.server.world import gather_until_end


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


def test_the_environment_of_the_tests_is_clean(clean_environment: dict[str, str]) -> None:
    assert not [name for name in os.environ if name.startswith("HEADGATE_")]
    assert clean_environment["PYTHONPATH"]


async def test_a_server_that_says_it_is_ready_is_ready(start: Start) -> None:
    async with start() as (_, world):
        stub = health_pb2_grpc.HealthStub(world.channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest())

    assert reply.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.skipif(sys.platform != "linux", reason="limits of processes are read from /proc")
async def test_a_crash_leaves_no_core(start: Start) -> None:
    async with start() as (process, _):
        limits = await asyncio.to_thread(Path(f"/proc/{process.pid}/limits").read_text)

    (row,) = [line for line in limits.splitlines() if "core" in line]
    assert row.split()[4:6] == ["0", "0"]
