"""A worker whose machine has the wrong time: upstream is asked, and observed, with the store's."""

from __future__ import annotations

import time
from datetime import date

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate_emulator.app import serve
from headgate_emulator.dataworks.instances import Scheduled
from headgate_emulator.settings import Settings as EmulatorSettings
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import GetInstance, Reply
from headgate_worker.process.settings import Settings
from headgate_worker.upstream import connections

HOUR_MS = 3_600_000


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, -HOUR_MS])
async def test_calls_are_signed_and_observed_by_the_stores_clock(
    redis: Redis, credentials: None, ahead_ms: int
) -> None:
    right_ms = int(time.time() * 1000) + ahead_ms
    async with serve(EmulatorSettings(listen="127.0.0.1:0"), wall=lambda: right_ms) as emulator:
        instance = emulator.world.schedule(
            Scheduled(project_id=257880, name="nightly", biz_date=date(2025, 2, 5)), right_ms
        )
        found = await connections.connect(Settings(dataworks_endpoint=emulator.url), redis, StoreClock(right_ms))
        outcome = await found.get("").call(GetInstance(instance), timeout_seconds=5)
        await found.aclose()

    assert isinstance(outcome, Reply) and isinstance(outcome.body, pb.WorkflowInstance), outcome
    assert abs(outcome.body.observe_time.ToMilliseconds() - right_ms) < 60_000
