"""A plan of many dates that streams its progress. Real server, worker, Redis and emulator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_cli.dev.redis_server import RedisServer
from headgate_client import Client
from headgate_emulator.app import RunningEmulator
from headgate_worker.process.settings import Settings
from tests.server.callers import entry, known, write
from tests.server.world import World, backfill, reason_of, serving
from tests.worker.conftest import RunWorker, eventually

pytestmark = pytest.mark.slow

FIRST = date(2025, 1, 1)
READS_A_SECOND = 50.0
SHARE = 0.9
"""Of the rate, what is let out."""


@pytest.fixture
async def world(
    redis_server: RedisServer, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> AsyncIterator[World]:
    few = worker_settings.model_copy(update={"dataworks_read_qps": READS_A_SECOND})
    async with run_worker(few), serving(redis_server.url) as found:
        yield found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "callers.toml", entry("planner", rights=["plan"]))


def request(count: int = 365, **given: Any) -> pb.PlanLargeBackfillRequest:
    made = pb.PlanLargeBackfillRequest(spec=backfill().spec, **given)
    made.spec.reprocess = pb.REPROCESS_MISSING_ONLY
    del made.spec.biz_dates[:]
    last = dates.to_message(FIRST + timedelta(days=count - 1))
    made.spec.biz_dates.add(start_biz_date=dates.to_message(FIRST), end_biz_date=last)
    return made


def lists(emulator: RunningEmulator) -> int:
    return sum(row.action == "ListWorkflowInstances" for row in emulator.ledger.rows())


async def read(world: World, asked: pb.PlanLargeBackfillRequest) -> tuple[list[pb.PlanProgress], pb.BackfillPlan]:
    messages = [message async for message in world.backfills.PlanLargeBackfill(asked, timeout=120)]
    assert messages[-1].HasField("plan") and not any(message.HasField("plan") for message in messages[:-1])
    return [message.progress for message in messages[:-1]], messages[-1].plan


async def test_a_year_is_planned_with_one_list_a_date_and_its_end_is_told_beforehand(
    world: World, emulator: RunningEmulator
) -> None:
    began = time.time()
    told, plan = await read(world, request())

    assert len(plan.slots) == 365 and {slot.action for slot in plan.slots} == {pb.PLAN_ACTION_CREATE}
    assert plan.plan_token and plan.expected_upstream_reads > 365
    assert lists(emulator) == 365
    assert (told[0].dates_total, told[0].dates_done, told[0].upstream_reads) == (365, 0, 0)
    expected = told[0].expected_end_time.ToMilliseconds() / 1000 - began
    assert expected == pytest.approx(365 / READS_A_SECOND / SHARE, rel=0.5)
    done = [one.dates_done for one in told]
    assert done == sorted(done) and len(set(done)) >= 5


async def test_what_was_looked_up_minutes_ago_is_not_read_again_unless_asked(
    world: World, emulator: RunningEmulator
) -> None:
    _, first = await read(world, request(40))
    told, second = await read(world, request(60))
    wider = lists(emulator)
    anew = request(10)
    anew.max_staleness.FromSeconds(0)
    fresh, _ = await read(world, anew)

    assert second.slots[:40] == first.slots
    assert wider == 60 and told[-1].dates_reused in (0, 8, 16, 24, 32, 40)
    assert lists(emulator) == 70 and all(one.dates_reused == 0 for one in fresh)


async def test_it_ends_upstream_when_its_caller_leaves(world: World, emulator: RunningEmulator) -> None:
    call = world.backfills.PlanLargeBackfill(request(1_000))
    await eventually(lambda: _above(emulator, 20))
    call.cancel()

    async def is_still() -> bool:
        before = lists(emulator)
        await asyncio.sleep(0.5)
        return lists(emulator) == before

    await eventually(is_still)
    assert lists(emulator) < 1_000


async def _above(emulator: RunningEmulator, count: int) -> bool:
    return lists(emulator) > count


async def test_the_share_of_plan_dates_holds(
    redis_server: RedisServer, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker, path: Path
) -> None:
    few = worker_settings.model_copy(update={"dataworks_read_qps": READS_A_SECOND})
    async with run_worker(few), serving(redis_server.url, callers=path, caller_max_plan_dates=1_500) as world:
        first = world.backfills.PlanLargeBackfill(request(1_000), metadata=known("planner"))
        begun: Any = await first.read()
        assert begun.progress.dates_total == 1_000
        with pytest.raises(grpc.RpcError) as refused:
            await world.backfills.PlanLargeBackfill(request(1_000), metadata=known("planner")).read()
        first.cancel()

    assert reason_of(refused.value) == "CALLER_LIMIT"


async def test_the_client_is_told_and_gets_the_same_plan(world: World) -> None:
    told: list[pb.PlanProgress] = []
    asked = request(20)
    async with Client(world.address) as client:
        streamed = await client.backfills.plan_large(asked.spec, on_progress=told.append)
        unary = await client.backfills.plan(asked.spec)

    assert told and told[0].dates_total == 20
    for plan in (streamed, unary):
        for field in ("plan_token", "expire_time", "quota_now"):
            plan.ClearField(field)
    assert streamed == unary
