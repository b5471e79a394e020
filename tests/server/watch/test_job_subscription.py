"""What the hub leaves with one watcher of a job: hints within a bound, and marks that never get lost."""

import asyncio

import pytest

from headgate import pb
from headgate_server.watch.cursor import Hint
from headgate_server.watch.job_subscription import MAX_HINTS, JobSubscription


def hint(revision: int) -> Hint:
    return Hint(revision, "a", pb.EVENT_TYPE_WARNING, False, b"")


def silent() -> JobSubscription:
    found = JobSubscription("job")
    found.dirty = False
    return found


def test_a_new_watcher_reads_the_log_first() -> None:
    assert JobSubscription("job").dirty and not JobSubscription("job").is_silent()


def test_hints_are_taken_once_in_their_order() -> None:
    subscription = silent()
    for revision in (1, 2, 3):
        subscription.put(hint(revision))

    assert [found.revision for found in subscription.take()] == [1, 2, 3]
    assert subscription.take() == [] and subscription.is_silent()


def test_more_hints_than_are_kept_send_the_watcher_to_the_log() -> None:
    subscription = silent()
    for revision in range(MAX_HINTS + 1):
        subscription.put(hint(revision))

    assert subscription.dirty and subscription.take() == []


def test_hints_after_a_deletion_are_of_another_job() -> None:
    subscription = silent()
    subscription.delete()

    subscription.put(hint(1))

    assert subscription.deleted and subscription.take() == []


@pytest.mark.parametrize(
    ("revision", "has_hint", "is_dirty"), [(5, False, False), (6, False, True), (4, False, True), (6, True, False)]
)
def test_a_watcher_that_stands_elsewhere_reads_the_log_unless_hints_are_on_their_way(
    revision: int, has_hint: bool, is_dirty: bool
) -> None:
    subscription = silent()
    subscription.sent = 5
    if has_hint:
        subscription.put(hint(6))

    subscription.compare(revision)

    assert subscription.dirty is is_dirty


@pytest.mark.parametrize("mark", ["mark_dirty", "delete", "drain", "wake"])
async def test_every_mark_wakes_a_waiting_watcher(mark: str) -> None:
    subscription = silent()
    waiting = asyncio.create_task(subscription.wait(asyncio.get_running_loop().time() + 3_600))
    await asyncio.sleep(0)

    getattr(subscription, mark)()

    async with asyncio.timeout(5):
        await waiting
    assert subscription.waiter is None


async def test_a_watcher_wakes_at_its_time_and_does_not_wait_where_something_is_to_do() -> None:
    subscription, loop = silent(), asyncio.get_running_loop()
    until = loop.time() + 0.02
    async with asyncio.timeout(5):
        await subscription.wait(until)
        assert loop.time() >= until - 0.001
        subscription.drain()
        await subscription.wait(loop.time() + 3_600)
