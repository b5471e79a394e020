"""One caller takes all he can of the read lane; another one's reads go on. Real server, worker, Redis and emulator."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import Latency
from headgate_worker.process.settings import Settings
from tests.server.callers import entry, known, write
from tests.server.world import World, backfill, metadata_of, reason_of, serving
from tests.worker.conftest import RunWorker, eventually

pytestmark = pytest.mark.slow

PLANS = 12
SETTLE_SECONDS = 1.0
"""How long after a hang-up reads may still go upstream."""


@pytest.fixture
def slow(emulator: RunningEmulator) -> RunningEmulator:
    """Each read of upstream takes a while, so that a plan takes many times as long as a read."""
    emulator.faults.add((Latency(action="ListWorkflowInstances", millis=50, count=1_000_000),))
    return emulator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rights = ["read", "plan"]
    return write(tmp_path / "callers.toml", entry("noisy", rights=rights) + entry("quiet", rights=rights))


@pytest.fixture
async def world(
    redis_server: RedisServer, slow: RunningEmulator, worker_settings: Settings, run_worker: RunWorker, path: Path
) -> AsyncIterator[World]:
    async with run_worker(worker_settings), serving(redis_server.url, callers=path) as found:
        yield found


def plan_request(count: int = 1_100) -> pb.PlanBackfillRequest:
    """A plan that looks up so many dates."""
    request = pb.PlanBackfillRequest(spec=backfill().spec)
    request.spec.reprocess = pb.REPROCESS_MISSING_ONLY
    del request.spec.biz_dates[:]
    last = date(2021, 1, 1) + timedelta(days=count - 1)
    request.spec.biz_dates.add(start_biz_date=dates.to_message(date(2021, 1, 1)), end_biz_date=dates.to_message(last))
    return request


def reads(emulator: RunningEmulator) -> int:
    return emulator.ledger.total


def plan(world: World, who: str, count: int = 1_100) -> Any:
    return world.backfills.PlanBackfill(plan_request(count), metadata=known(who), timeout=60)


async def get(world: World, who: str, instance_id: int = 5) -> str:
    """Read an instance that is not there: an answer of upstream, by way of a worker."""
    request = pb.GetWorkflowInstanceRequest(id=instance_id)
    try:
        await world.instances.GetWorkflowInstance(request, metadata=known(who), timeout=5)
    except grpc.RpcError as error:
        return reason_of(error)
    return "OK"


async def test_after_a_hang_up_nothing_is_read_any_more(world: World, slow: RunningEmulator, redis: Redis) -> None:
    calls = [plan(world, "noisy") for _ in range(PLANS)]
    await eventually(lambda: is_above(slow, 20))

    for call in calls:
        call.cancel()

    await settled(slow)
    assert await get(world, "quiet") == "INSTANCE_UNKNOWN"
    assert await redis.zcard(keys.READS) == 0


async def test_a_plan_beyond_the_callers_dates_is_refused_and_anothers_goes_through(
    world: World, slow: RunningEmulator
) -> None:
    noisy = [plan(world, "noisy") for _ in range(PLANS)]
    await eventually(lambda: is_above(slow, 20))

    refusals = [error for error in await asyncio.gather(*(first_word(call) for call in noisy)) if error]
    mine = await plan(world, "quiet", 20)

    assert len(refusals) == PLANS - 3
    assert {metadata_of(error)["quota"] for error in refusals} == {"plan_dates"}
    assert {metadata_of(error)["limit"] for error in refusals} == {"3300"}
    assert len(mine.slots) == 20
    for call in noisy:
        call.cancel()


async def test_a_caller_who_reads_all_he_can_leaves_slots_to_another(
    redis_server: RedisServer, slow: RunningEmulator, worker_settings: Settings, run_worker: RunWorker, path: Path
) -> None:
    few = worker_settings.model_copy(update={"read_slots": 4})
    async with run_worker(few), serving(redis_server.url, callers=path, caller_max_plan_dates=0) as world:
        noisy = [plan(world, "noisy") for _ in range(20)]
        await eventually(lambda: is_above(slow, 20))

        found = [await get(world, "quiet") for _ in range(20)]

        assert set(found) == {"INSTANCE_UNKNOWN"}
        for call in noisy:
            call.cancel()


async def test_plans_leave_room_in_the_quota_of_upstream(
    redis_server: RedisServer, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker, path: Path
) -> None:
    tight = worker_settings.model_copy(update={"dataworks_read_qps": 4})
    async with run_worker(tight), serving(redis_server.url, callers=path) as world:
        noisy = [plan(world, "noisy") for _ in range(3)]
        await eventually(lambda: is_above(emulator, 4))

        assert [await get(world, "quiet", instance_id) for instance_id in (1, 2, 3)] == ["INSTANCE_UNKNOWN"] * 3

        assert not any(call.done() for call in noisy)
        mine = await plan(world, "quiet", 4)
        assert len(mine.slots) == 4
        for call in noisy:
            call.cancel()


async def test_open_reads_have_a_share_and_another_caller_reads_on(
    redis_server: RedisServer, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker, path: Path
) -> None:
    emulator.faults.add((Latency(action="GetWorkflowInstance", millis=300, count=30),))
    async with run_worker(worker_settings), serving(redis_server.url, callers=path, caller_max_open_reads=5) as world:
        noisy = await asyncio.gather(*(get(world, "noisy", instance_id) for instance_id in range(100, 130)))

        assert Counter(noisy) == {"INSTANCE_UNKNOWN": 5, "CALLER_LIMIT": 25}
        assert await get(world, "quiet") == "INSTANCE_UNKNOWN"
        assert await get(world, "noisy") == "INSTANCE_UNKNOWN"


async def first_word(call: Any) -> grpc.RpcError | None:
    """The error of a call that is refused within seconds; None when it is not."""
    try:
        async with asyncio.timeout(2):
            await asyncio.shield(call.code())
    except TimeoutError:
        return None
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return caught.value


async def is_above(emulator: RunningEmulator, count: int) -> bool:
    return reads(emulator) > count


async def settled(emulator: RunningEmulator) -> None:
    """Wait until no read has gone upstream for a while; it must begin in time."""
    began = last = time.monotonic()
    seen = reads(emulator)
    while time.monotonic() - last < 2 * SETTLE_SECONDS:
        await asyncio.sleep(0.05)
        if reads(emulator) != seen:
            seen, last = reads(emulator), time.monotonic()
            assert last - began < SETTLE_SECONDS + 0.5, "reads go on after their caller has hung up"
