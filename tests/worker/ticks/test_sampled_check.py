"""The daily self-check: one worker does it, what is wrong is counted and named, and a busy store is not wrong."""

from __future__ import annotations

import logging

import pytest
from prometheus_client import generate_latest
from redis.asyncio import Redis

from headgate.store import keys
from headgate_worker.process import metrics
from headgate_worker.queue.leased_worker import LaneOptions, LeasedWorker
from headgate_worker.store.job_checks import EVERY_MS, SampledJobs
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks import sampled_check
from headgate_worker.ticks.sampled_check import SampledCheck
from tests.worker.submitting import backfill_job, seed_backfill, submit
from tests.worker.ticks.test_reaper import nothing


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled_check, "PAUSE_SECONDS", 0)


def check(redis: Redis, sample: int = 10) -> SampledCheck:
    return SampledCheck(SampledJobs(redis), SystemJitter(), sample=sample)


async def test_what_is_wrong_is_counted_and_named(store: Store, redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = [await submit(store, backfill_job(seed_backfill())) for _ in range(2)]
    await redis.zrem(keys.DUE, bad)
    found = check(redis)

    with caplog.at_level(logging.WARNING):
        assert await found.round()

    assert (found.checked, found.findings) == (2, 1)
    assert [line for line in caplog.messages if "self-check" in line] == [
        f"self-check of {bad}: index due: lacks the job"
    ]
    assert good not in caplog.text
    lane = LeasedWorker(redis, redis, {"tick": nothing}, LaneOptions(keys.TICKS, 1), "1-test")
    shown = generate_latest(metrics.registry(lane, lane, _Reaped(), found)).decode()
    assert "headgate_worker_self_checked_total 2.0" in shown
    assert "headgate_worker_self_check_findings_total 1.0" in shown


class _Reaped:
    late = requeued = given_up = 0


async def test_one_worker_a_day_checks_a_sample(store: Store, redis: Redis) -> None:
    for _ in range(3):
        await submit(store, backfill_job(seed_backfill()))
    first, second = check(redis, sample=2), check(redis)

    assert await first.round() and not await second.round()

    assert (first.checked, second.checked) == (2, 0)
    assert 0 < await redis.pttl(keys.CHECKED) <= EVERY_MS


async def test_a_worker_that_is_told_not_to_checks_nothing(store: Store, redis: Redis) -> None:
    await submit(store, backfill_job(seed_backfill()))
    idle = check(redis, sample=0)

    await idle.run()

    assert not await idle.round()
    assert not await redis.exists(keys.CHECKED)


async def test_a_job_that_is_gone_by_then_is_no_finding(store: Store, redis: Redis) -> None:
    assert await check(redis).round()
