"""The shared quota on a real Redis: evenly spread, in order, never over the limit, with a way through for cancels."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from headgate.quota import limits as quota_limits
from headgate.quota.admission import Crowded, Frozen, Go, Slot
from headgate.quota.limits import Limits
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate_worker.core.model.calls import Call, Failure, FailureKind, GetInstance, StopInstances
from headgate_worker.upstream.governor import Governor

READ: Call = GetInstance(1)
WRITE: Call = StopInstances((1,))
FAR = 3_600_000


async def slots(governor: Governor, count: int, call: Call = READ) -> list[Slot]:
    """So many slots, in the order of asking; a call that goes out at once is none."""
    verdicts = [await governor.admit(call, patience_ms=FAR) for _ in range(count)]
    assert all(isinstance(verdict, Go | Slot) for verdict in verdicts), verdicts
    return [verdict for verdict in verdicts if isinstance(verdict, Slot)]


def gaps(given: list[Slot]) -> list[int]:
    """The ms between slots that follow each other."""
    return [after.at_ms - before.at_ms for before, after in pairwise(given)]


async def now_ms(redis: Redis) -> int:
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def test_slots_are_spread_evenly_and_in_order(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=5, share=1.0))
    given = await slots(governor, 20)
    assert len(given) == 19
    assert all(199 <= gap <= 201 for gap in gaps(given)), gaps(given)


async def test_workers_share_one_rate(redis: Redis) -> None:
    governors = [Governor(redis, "a", Limits(total_qps=10, share=1.0)) for _ in range(8)]
    asked = [governor.admit(READ, patience_ms=FAR) for governor in governors for _ in range(10)]
    given = sorted(verdict.at_ms for verdict in await asyncio.gather(*asked) if isinstance(verdict, Slot))
    assert len(given) == 79
    for start in given:
        assert sum(start <= at < start + 1000 for at in given) <= 10


async def test_a_call_goes_out_at_once_where_nobody_asked_before(redis: Redis) -> None:
    limits = Limits(read_qps=1, write_qps=1)
    asked = [(Governor(redis, "a", limits), READ), (Governor(redis, "a", limits), WRITE)]
    asked.append((Governor(redis, "b", limits), READ))
    assert [await governor.admit(call, patience_ms=0) for governor, call in asked] == [Go()] * 3


async def test_a_crowded_slot_is_not_counted(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=1))
    await slots(governor, 3)
    assert isinstance(await governor.admit(READ, patience_ms=100), Crowded)
    assert await redis.hget(keys.quota("a"), "used:read") == b"3"  # type: ignore[misc]


async def test_a_cancel_goes_ahead_of_the_queue(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=1, share=1.0))
    queue = await slots(governor, 30)
    cancel = await governor.admit(WRITE, patience_ms=1_000, cancel=True)
    assert isinstance(cancel, Slot)  # a call has gone out in this second
    assert cancel.at_ms <= queue[0].at_ms
    behind = await slots(governor, 1)
    assert behind[0].at_ms - queue[-1].at_ms >= 1_999


async def test_a_slot_that_was_used_late_moves_those_after_it(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=4, share=0.8))
    given = await slots(governor, 12)
    first, *others = given[:5]
    await until_ms(redis, first.at_ms + 250)  # a worker that slept too long
    assert await governor.admit(READ, patience_ms=0, held=first.epoch) == Go()
    late_ms = await now_ms(redis)

    for slot in others:
        assert await shown(governor, redis, slot) == Go()
    assert await now_ms(redis) - late_ms >= 1_000  # the fourth after it, although its own slot came earlier


async def test_never_more_go_out_in_a_second_than_upstream_allows(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=10, share=0.96))
    out_ms: list[int] = []

    async def call(slot: Slot, late_ms: int) -> None:
        await until_ms(redis, slot.at_ms + late_ms)
        assert await shown(governor, redis, slot) == Go()
        out_ms.append(await now_ms(redis))

    async with asyncio.TaskGroup() as group:
        for number, slot in enumerate(await slots(governor, 25)):
            group.create_task(call(slot, late_ms=90 * (number % 3)))
    out_ms.sort()

    assert all(after - before >= 1_000 for before, after in zip(out_ms, out_ms[10:], strict=False)), out_ms
    assert out_ms[-1] - out_ms[0] <= 25 / 9.6 * 1_000 + 400  # and the rate is used


async def shown(governor: Governor, redis: Redis, slot: Slot) -> object:
    """What becomes of a slot that is shown when it says, as often as it is moved."""
    verdict: object = slot
    while isinstance(verdict, Slot):
        await until_ms(redis, verdict.at_ms)
        verdict = await governor.admit(READ, patience_ms=0, held=verdict.epoch)
    return verdict


async def until_ms(redis: Redis, at_ms: int) -> None:
    await asyncio.sleep(max(0, at_ms - await now_ms(redis)) / 1000)


async def test_a_daily_allowance_freezes_and_keeps_a_reserve_for_cancels(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_daily=10, cancel_reserve=3))
    await slots(governor, 7)
    assert isinstance(await governor.admit(READ, patience_ms=FAR), Frozen)
    for _ in range(3):
        assert isinstance(await governor.admit(WRITE, patience_ms=FAR, cancel=True), Go | Slot)
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
    assert gaps(await slots(governor, 4))[1] == pytest.approx(100 / 0.8, abs=2)


async def test_a_slot_that_was_waited_for_still_counts(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=10, read_daily=20, share=1.0, cancel_reserve=0))
    (last,) = await slots(governor, 2)

    assert await shown(governor, redis, last) == Go()
    assert await redis.hget(keys.quota("a"), "used:read") == b"2"  # type: ignore[misc]


async def test_slots_of_a_rate_that_was_too_high_are_handed_out_anew(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=10, share=1.0))
    given = await slots(governor, 31)
    await governor.learn(READ, Failure(FailureKind.THROTTLED, "Throttling.User", "slow down"), 0)

    again = [await governor.admit(READ, patience_ms=FAR, held=slot.epoch) for slot in given[10:]]
    fresh = [slot for slot in again if isinstance(slot, Slot)]
    assert {slot.epoch for slot in fresh} == {given[0].epoch + 1}
    assert gaps(fresh)[1:] == [pytest.approx(125, abs=2)] * (len(fresh) - 2)
    assert await redis.hget(keys.quota("a"), "used:read") == b"31"  # type: ignore[misc]


def test_editions_have_the_published_numbers() -> None:
    assert quota_limits.EDITIONS["basic"].total_daily == 100
    assert (quota_limits.EDITIONS["enterprise"].read_qps, quota_limits.EDITIONS["enterprise"].write_qps) == (50, 20)


async def test_while_an_urgent_job_asks_the_others_leave_it_room(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=1, share=1.0))
    await slots(governor, 8)  # nobody is urgent: as far ahead as they like

    urgent = await governor.admit(READ, patience_ms=FAR, rank=Rank(5))
    crowded = await governor.admit(READ, patience_ms=FAR)
    waited = await governor.admit(READ, patience_ms=FAR, rank=Rank(0, waited_ms=60_000))
    more_urgent = await governor.admit(READ, patience_ms=FAR, rank=Rank(6))

    assert isinstance(urgent, Slot) and isinstance(waited, Slot) and isinstance(more_urgent, Slot)
    assert isinstance(crowded, Crowded)
    assert urgent.at_ms < waited.at_ms < more_urgent.at_ms


async def test_slots_that_an_older_worker_booked_keep_no_creator_waiting(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=10))
    ranks = [Rank(creator=name) for name in ("alice", "bob")]
    for rank in ranks * 2:
        await governor.admit(READ, patience_ms=FAR, rank=rank)
    old = await slots(governor, 600)  # it names no creator, and books as far ahead as its calls wait

    for rank in ranks:
        verdict = await governor.admit(READ, patience_ms=FAR, rank=rank)
        assert isinstance(verdict, Go) or (isinstance(verdict, Slot) and verdict.at_ms - await now_ms(redis) < 2_000)
    again = await governor.admit(READ, patience_ms=FAR, held=old[-1].epoch)
    assert isinstance(again, Slot) and again.epoch > old[-1].epoch


async def test_equals_of_the_most_urgent_are_not_held_back(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(total_qps=1, share=1.0))
    verdicts = [await governor.admit(READ, patience_ms=FAR, rank=Rank(9)) for _ in range(80)]
    assert all(isinstance(verdict, Go | Slot) for verdict in verdicts)


async def test_what_was_let_out_before_does_not_lower_the_rate_again(redis: Redis) -> None:
    governor = Governor(redis, "a", Limits(read_qps=2, share=1.0))
    throttled = Failure(FailureKind.THROTTLED, "Throttling.User", "slow down")
    await slots(governor, 40)  # twenty seconds of slots, all at the rate before
    await governor.learn(READ, throttled, 0)
    await redis.hset(keys.quota("a"), "factor_at", "0")  # type: ignore[misc]  # as if it were long ago
    await governor.learn(READ, throttled, 0)

    assert int(await redis.hget(keys.quota("a"), "factor") or 0) == 800  # type: ignore[misc]
    assert int(await redis.hget(keys.quota("a"), "throttled") or 0) == 2  # type: ignore[misc]
