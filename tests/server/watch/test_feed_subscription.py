"""A watcher's end of the hub: bounded, woken once, and sent to the feed when it falls behind."""

import asyncio

from headgate.messages.feed_entries import FeedEntry
from headgate_server.watch.feed_subscription import MAX_BYTES, MAX_ENTRIES, FeedSubscription


def entry(number: int, size: int = 1) -> FeedEntry:
    return FeedEntry((number, 0), "job", 1, b"x" * size)


def reading() -> FeedSubscription:
    found = FeedSubscription()
    found.begin_look()
    return found


async def returns_at_once(subscription: FeedSubscription) -> None:
    async with asyncio.timeout(5):
        await subscription.wait(asyncio.get_running_loop().time() + 3_600)


def test_a_new_watcher_reads_the_feed_before_anything_is_left_for_it() -> None:
    subscription = FeedSubscription()
    subscription.put(entry(1))

    assert subscription.dirty and subscription.take(10) == []


def test_entries_are_taken_oldest_first_in_parts() -> None:
    subscription = reading()
    for number in range(5):
        subscription.put(entry(number))

    assert [found.id[0] for found in subscription.take(3)] == [0, 1, 2]
    assert [found.id[0] for found in subscription.take(3)] == [3, 4]


def test_too_many_entries_are_thrown_away_and_the_feed_is_read() -> None:
    subscription = reading()
    for number in range(MAX_ENTRIES + 1):
        subscription.put(entry(number))

    assert subscription.dirty and subscription.take(1) == []


def test_too_many_bytes_are_thrown_away_but_bytes_that_were_taken_do_not_count() -> None:
    subscription = reading()
    for number in range(10):
        subscription.put(entry(number, MAX_BYTES // 2))
        assert subscription.take(1)
    assert not subscription.dirty

    subscription.put(entry(1, MAX_BYTES // 2))
    subscription.put(entry(2, MAX_BYTES // 2 + 1))

    assert subscription.dirty


async def test_what_is_there_wakes_at_once() -> None:
    filled, dirty, drained = reading(), FeedSubscription(), reading()
    filled.put(entry(1))
    drained.drain()

    for subscription in (filled, dirty, drained):
        await returns_at_once(subscription)


async def test_a_waiting_watcher_is_woken_by_an_entry_and_by_its_time() -> None:
    subscription, loop = reading(), asyncio.get_running_loop()
    waiting = asyncio.create_task(subscription.wait(loop.time() + 3_600))
    await asyncio.sleep(0)

    subscription.put(entry(1))
    async with asyncio.timeout(5):
        await waiting
        subscription.take(1)
        until = loop.time() + 0.02
        await subscription.wait(until)

    assert loop.time() >= until
