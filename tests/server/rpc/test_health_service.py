"""grpc.health.v1 on a real server: what it tells, and that nobody is kept out by those who only watch it."""

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from headgate import pb
from headgate_server import app
from headgate_server.rpc import health, health_service, listener, registry
from headgate_server.rpc.slot_table import SlotBounds
from tests.server.rpc.test_pending_requests import count, end_of
from tests.server.world import World, connected, detail, metadata_of, quick_settings, reason_of, serving, status_of

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def watch(world: World, service: str = "") -> Any:
    return health_pb2_grpc.HealthStub(world.channel).Watch(health_pb2.HealthCheckRequest(service=service))


async def status(call: Any) -> int:
    async with asyncio.timeout(10):
        found: int = (await call.read()).status
    return found


async def test_list_has_every_service_and_logs_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = await health_pb2_grpc.HealthStub(world.channel).List(health_pb2.HealthListRequest(), timeout=10)

    assert {name: each.status for name, each in found.statuses.items()} == dict.fromkeys(
        ["", *registry.SERVICES], SERVING
    )
    assert not caplog.records


async def test_the_health_of_a_service_that_there_is_not(world: World) -> None:
    request = health_pb2.HealthCheckRequest(service="no.Service")
    with pytest.raises(grpc.RpcError) as caught:
        await health_pb2_grpc.HealthStub(world.channel).Check(request, timeout=10)
    watching = watch(world, "no.Service")

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.NOT_FOUND, "SERVICE_UNKNOWN")
    assert await status(watching) == UNKNOWN
    watching.cancel()


async def test_a_watch_hears_of_changes(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SPARE_CALLS", 0)
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.02)
    async with serving(redis_url, max_watches=1) as world:
        watching = watch(world, "headgate.v1.JobService")
        heard = [await status(watching)]
        busy = world.watch(await world.submit())
        await busy.read()
        with pytest.raises(grpc.RpcError):
            await count(world)
        heard.append(await status(watching))
        busy.cancel()
        heard.append(await status(watching))
        watching.cancel()

    assert heard == [SERVING, NOT_SERVING, SERVING]


async def test_watches_of_health_take_no_slot_of_others(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SPARE_CALLS", 4)
    async with serving(redis_url, max_watches=1) as world:
        watching = [watch(world) for _ in range(8)]
        assert [await status(each) for each in watching] == [SERVING] * 8

        assert await count(world) == pb.CountJobsResponse()
        for each in watching:
            each.cancel()


async def test_a_connection_with_too_many_watches_loses_its_oldest(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_service, "WATCHES", SlotBounds(total=10, per_connection=3))
    async with serving(redis_url) as world:
        watching = []
        for _ in range(5):
            watching.append(watch(world))
            await status(watching[-1])
        error = await end_of(watching[0])
        await end_of(watching[1])

        assert (reason_of(error), metadata_of(error)["quota"]) == ("CALLER_LIMIT", "health_watches")
        assert detail(status_of(error), error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
        assert not any(each.done() for each in watching[2:])
        for each in watching:
            each.cancel()


async def test_a_watch_has_an_end(redis_url: str) -> None:
    async with serving(redis_url, max_stream_age=0.2) as world:
        watching = watch(world)
        assert await status(watching) == SERVING
        async with asyncio.timeout(10):
            assert await watching.read() is grpc.aio.EOF
            assert await watching.code() is grpc.StatusCode.OK


async def test_a_draining_server_says_so_to_watches(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(app.running(quick_settings(redis_url, drain_seconds=0.2)))
        ports = (f"127.0.0.1:{server.grpc_port}", f"http://127.0.0.1:{server.ops_port}")
        async with connected(*ports, redis_url) as world:
            watching = watch(world)
            heard = [await status(watching)]
            await stack.aclose()
            heard.append(await status(watching))

    assert heard == [SERVING, NOT_SERVING]
