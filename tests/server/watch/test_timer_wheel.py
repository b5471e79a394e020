"""Subscriptions that are woken in rounds, and their places in the hub."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from headgate import pb
from headgate.messages.feed_entries import FeedEntry, FeedId
from headgate_redis.clock import StoreClock
from headgate_server.watch.cursor import Hint
from headgate_server.watch.hub import Hub
from headgate_server.watch.job_subscription import JobSubscription
from headgate_server.watch.timer_wheel import ROUND_SECONDS, TimerWheel

HINT = Hint(1, "a", pb.EVENT_TYPE_WARNING, False, b"")


def silent(job_id: str = "job") -> JobSubscription:
    subscription = JobSubscription(job_id)
    subscription.dirty = False
    return subscription


async def test_a_subscription_is_woken_in_the_first_round_after_its_time() -> None:
    wheel = TimerWheel()
    until = wheel.now() + 0.05

    async with asyncio.timeout(5):
        await wheel.wait(silent(), until)

    assert wheel.now() >= until


async def test_a_hint_wakes_its_subscription_at_once() -> None:
    wheel, subscription = TimerWheel(), silent()
    woken = wheel.wait(subscription, wheel.now() + 60)

    subscription.put(HINT)

    assert woken.done()
    wheel.leave(subscription)


async def test_subscriptions_of_one_round_share_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), []
    wheel, subscriptions = TimerWheel(), [silent() for _ in range(100)]
    monkeypatch.setattr(loop, "call_at", lambda *given: timers.append(given))
    until = wheel.now() + 60

    for subscription in subscriptions:
        wheel.wait(subscription, until)
        subscription.put(HINT)
        wheel.wait(subscription, until + ROUND_SECONDS * 5)

    assert len(timers) == 1


async def test_a_time_that_was_put_off_wakes_for_nothing_once() -> None:
    wheel, subscription = TimerWheel(), silent()
    wheel.wait(subscription, wheel.now())
    subscription.put(HINT)
    subscription.take()
    long = wheel.now() + 60

    async with asyncio.timeout(5):
        await wheel.wait(subscription, long)
    again = wheel.wait(subscription, long)

    async with asyncio.timeout(5):
        await wheel.wait(silent(), wheel.now())
    assert not again.done()
    wheel.leave(subscription)


async def test_an_earlier_time_counts() -> None:
    wheel, subscription = TimerWheel(), silent()
    wheel.wait(subscription, wheel.now() + 60)
    subscription.wake()

    async with asyncio.timeout(5):
        await wheel.wait(subscription, wheel.now())


async def test_a_subscription_that_left_is_woken_no_more() -> None:
    wheel, subscription, other = TimerWheel(), silent(), silent()
    until = wheel.now()
    left = wheel.wait(subscription, until)
    stays = wheel.wait(other, until)
    wheel.leave(subscription)

    async with asyncio.timeout(5):
        await stays

    assert not left.done()


class Nothing:
    """A feed without entries, and a store that has every job at revision 7."""

    async def tip(self) -> FeedId:
        return 0, 0

    async def read(self, after: FeedId) -> list[FeedEntry]:
        return []

    async def revisions(self, job_ids: Sequence[str]) -> list[int]:
        return [7 for _ in job_ids]


async def test_subscriptions_may_leave_in_any_order() -> None:
    hub, rng = Hub(Nothing(), Nothing(), StoreClock()), random.Random(5)
    stay = {hub.join(f"job-{number % 3}") for number in range(60)}
    left = set()
    while stay:
        subscription = rng.choice(sorted(stay, key=id))
        stay.discard(subscription)
        left.add(subscription)
        hub.leave(subscription)
        for one in stay | left:
            one.dirty = False

        await hub.compare()

        assert all(one.dirty for one in stay)
        assert not any(one.dirty for one in left)
        assert hub.watchers == len(stay)
