"""A store that is away, frozen or demoted: callers are told; nothing is said twice or lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import grpc
import pytest
from aiohttp import ClientSession
from grpc_health.v1 import health_pb2, health_pb2_grpc

from headgate import pb
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from tests.server.world import World, reason_of, serving, until


@pytest.fixture
async def own_redis() -> AsyncIterator[RedisServer]:
    async with RedisServer(appendonly=True, appendfsync="always") as redis:
        yield redis


async def ready(world: World) -> bool:
    async with ClientSession() as session, session.get(f"{world.ops}/readyz") as response:
        return response.status == 200


async def health(world: World, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(world.channel)
    return int((await stub.Check(health_pb2.HealthCheckRequest(service=service))).status)


async def test_a_store_that_is_away_is_told_and_works_again_when_it_is_back(own_redis: RedisServer) -> None:
    async with serving(own_redis.url, redis_timeout=1.0) as world:
        job_id = await world.submit()
        await own_redis.kill()

        with pytest.raises(grpc.RpcError) as caught:
            await world.submit(request_id="r-1")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(caught.value) == "STORE_UNAVAILABLE"
        await until(lambda: not_ready(world))

        await own_redis.start()
        assert (await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id)))).revision == 1
        await world.submit(request_id="r-1")
        await until(lambda: ready(world))


async def not_ready(world: World) -> bool:
    return not await ready(world)


async def test_a_frozen_store_holds_nobody_for_long(own_redis: RedisServer) -> None:
    async with serving(own_redis.url, redis_timeout=0.3) as world:
        await world.submit()
        os.kill(own_redis.pid, signal.SIGSTOP)
        try:
            with pytest.raises(grpc.RpcError) as caught:
                async with asyncio.timeout(8):
                    await world.submit()
        finally:
            os.kill(own_redis.pid, signal.SIGCONT)
        assert reason_of(caught.value) == "STORE_UNAVAILABLE"


async def test_a_demoted_primary_is_left_for_the_next_one(own_redis: RedisServer) -> None:
    async with serving(own_redis.url) as world:
        await world.submit()
        await world.redis.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]

        with pytest.raises(grpc.RpcError) as caught:
            await world.submit()
        assert reason_of(caught.value) == "STORE_UNAVAILABLE"

        await world.redis.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]
        await world.submit()


async def test_health_follows_the_store_per_service(own_redis: RedisServer) -> None:
    async with serving(own_redis.url, redis_timeout=1.0) as world:
        service = "headgate.v1.JobService"
        assert await health(world) == await health(world, service) == health_pb2.HealthCheckResponse.SERVING

        await own_redis.kill()
        await until(lambda: serves(world, service, serving_=False))
        await own_redis.start()
        await until(lambda: serves(world, service, serving_=True))


async def serves(world: World, service: str, *, serving_: bool) -> bool:
    return (await health(world, service) == health_pb2.HealthCheckResponse.SERVING) is serving_
