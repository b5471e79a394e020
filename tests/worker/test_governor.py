"""The shared quota on a real Redis: evenly spread, in order, never over the limit, with a way through for cancels."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from headgate import quota
from headgate.quota import Crowded, Frozen, Go, Limits
from headgate.ranking import Rank
from headgate_worker.core.calls import Call, Failure, FailureKind, GetInstance, StopInstances
from headgate_worker.governor import Governor

READ: Call = GetInstance(1)
WRITE: Call = StopInstances((1,))
FAR = 3_600_000


async def slots_given(governor: Governor, count: int) -> list[Go]:
    """So many slots for reads, in the order of asking."""
    verdicts = [await governor.admit(READ, patience_ms=FAR) for _ in range(count)]
    return [verdict for verdict in verdicts if isinstance(verdict, Go)]


async def slots(governor: Governor, call: Call, count: int) -> list[int]:
    """The times that `count` calls, asked for one after the other, are given."""
    verdicts = [await governor.admit(call, patience_ms=FAR) for _ in range(count)]
    assert all(isinstance(verdict, Go) for verdict in verdicts)
    return [verdict.at_ms for verdict in verdicts if isinstance(verdict, Go)]


async def test_slots_are_spread_evenly_and_in_order(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=5, share=1.0))
    given = await slots(governor, READ, 20)
    gaps = [after - before for before, after in pairwise(given)]
    assert all(199 <= gap <= 201 for gap in gaps), gaps


async def test_workers_share_one_rate(redis: Redis) -> None:
    governors = [Governor(redis, "a", Limits(total_qps=10, share=1.0)) for _ in range(8)]
    asked = [governor.admit(READ, patience_ms=FAR) for governor in governors for _ in range(10)]
    given = sorted(verdict.at_ms for verdict in await asyncio.gather(*asked) if isinstance(verdict, Go))
    assert len(given) == 80
    for start in given:
        assert sum(start <= at < start + 1000 for at in given) <= 10


async def test_classes_and_connections_are_apart(redis: Redis) -> None:
    limits = Limits(read_qps=1, write_qps=1)
    first = await slots(Governor(redis, "a", limits), READ, 1)
    write = await slots(Governor(redis, "a", limits), WRITE, 1)
    other = await slots(Governor(redis, "b", limits), READ, 1)
    assert max(first + write + other) - min(first + write + other) < 500


async def test_a_crowded_slot_is_not_counted(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=1))
    await slots(governor, READ, 3)
    assert isinstance(await governor.admit(READ, patience_ms=100), Crowded)
    assert await redis.hget(quota.key("a"), "used:read") == b"3"  # type: ignore[misc]


async def test_a_cancel_goes_ahead_of_the_queue(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=1, share=1.0))
    queue = await slots(governor, READ, 30)
    cancel = await governor.admit(WRITE, patience_ms=100, cancel=True)
    assert isinstance(cancel, Go)
    assert cancel.at_ms < queue[2]
    behind = await slots(governor, READ, 1)
    assert behind[0] - queue[-1] >= 1_999


async def test_a_daily_allowance_freezes_and_keeps_a_reserve_for_cancels(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_daily=10, cancel_reserve=3))
    await slots(governor, READ, 7)
    assert isinstance(await governor.admit(READ, patience_ms=FAR), Frozen)
    for _ in range(3):
        assert isinstance(await governor.admit(WRITE, patience_ms=FAR, cancel=True), Go)
    assert isinstance(await governor.admit(WRITE, patience_ms=FAR, cancel=True), Frozen)


async def test_the_daily_code_freezes_one_class_and_a_write_still_goes(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=50, write_qps=20))
    spent = Failure(FailureKind.FROZEN, "Throttling.Api.Risk", "spent")
    now_ms = int((await redis.time())[0]) * 1000
    await governor.learn(READ, spent, now_ms)
    frozen = await governor.admit(READ, patience_ms=FAR)
    assert isinstance(frozen, Frozen)
    assert now_ms < frozen.until_ms <= now_ms + 24 * 3_600_000
    assert isinstance(await governor.admit(WRITE, patience_ms=FAR), Go)


async def test_throttling_lowers_the_rate_once_at_a_time(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=10, share=1.0))
    throttled = Failure(FailureKind.THROTTLED, "Throttling.User", "slow down")
    for _ in range(5):
        await governor.learn(READ, throttled, 0)
    given = await slots(governor, READ, 3)
    assert given[2] - given[1] == pytest.approx(100 / 0.8, abs=2)


async def test_a_slot_that_was_waited_for_still_counts(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=10, read_daily=20, share=1.0, cancel_reserve=0))
    _, last = await slots_given(governor, 2)

    shown = await governor.admit(READ, patience_ms=0, held=last.epoch)
    assert isinstance(shown, Go)
    assert shown.epoch == last.epoch
    assert await redis.hget(quota.key("a"), "used:read") == b"2"  # type: ignore[misc]


async def test_slots_of_a_rate_that_was_too_high_are_handed_out_anew(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=10, share=1.0))
    given = await slots_given(governor, 30)
    await governor.learn(READ, Failure(FailureKind.THROTTLED, "Throttling.User", "slow down"), 0)

    again = [await governor.admit(READ, patience_ms=FAR, held=slot.epoch) for slot in given[10:]]
    fresh = [slot for slot in again if isinstance(slot, Go)]
    assert {slot.epoch for slot in fresh} == {given[0].epoch + 1}
    steps = [after.at_ms - before.at_ms for before, after in pairwise(fresh[1:])]
    assert steps == [pytest.approx(125, abs=2)] * len(steps)
    assert await redis.hget(quota.key("a"), "used:read") == b"30"  # type: ignore[misc]


def test_editions_have_the_published_numbers() -> None:
    assert quota.EDITIONS["basic"].total_daily == 100
    assert (quota.EDITIONS["enterprise"].read_qps, quota.EDITIONS["enterprise"].write_qps) == (50, 20)


async def test_while_an_urgent_job_asks_the_others_leave_it_room(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=1, share=1.0))
    await slots(governor, READ, 8)  # nobody is urgent: as far ahead as they like

    urgent = await governor.admit(READ, patience_ms=FAR, rank=Rank(5))
    crowded = await governor.admit(READ, patience_ms=FAR)
    waited = await governor.admit(READ, patience_ms=FAR, rank=Rank(0, waited_ms=60_000))
    more_urgent = await governor.admit(READ, patience_ms=FAR, rank=Rank(6))

    assert isinstance(urgent, Go) and isinstance(waited, Go) and isinstance(more_urgent, Go)
    assert isinstance(crowded, Crowded)
    assert urgent.at_ms < waited.at_ms < more_urgent.at_ms


async def test_equals_of_the_most_urgent_are_not_held_back(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=1, share=1.0))
    verdicts = [await governor.admit(READ, patience_ms=FAR, rank=Rank(9)) for _ in range(80)]
    assert all(isinstance(verdict, Go) for verdict in verdicts)


async def test_what_was_let_out_before_does_not_lower_the_rate_again(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=2, share=1.0))
    throttled = Failure(FailureKind.THROTTLED, "Throttling.User", "slow down")
    await slots(governor, READ, 40)  # twenty seconds of slots, all at the rate before
    await governor.learn(READ, throttled, 0)
    await redis.hset(quota.key("a"), "factor_at", "0")  # type: ignore[misc]  # as if it were long ago
    await governor.learn(READ, throttled, 0)

    assert int(await redis.hget(quota.key("a"), "factor") or 0) == 800  # type: ignore[misc]
    assert int(await redis.hget(quota.key("a"), "throttled") or 0) == 2  # type: ignore[misc]
