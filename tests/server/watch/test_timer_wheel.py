"""Bells that are woken in rounds, and their places in the hub."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from headgate import pb
from headgate_server.ports.clock import StoreClock
from headgate_server.ports.feed import Entry, FeedId
from headgate_server.watch.cursor import Hint
from headgate_server.watch.hub import Hub
from headgate_server.watch.job_subscription import Bell
from headgate_server.watch.timer_wheel import ROUND_SECONDS, Rounds

HINT = Hint(1, "a", pb.EVENT_TYPE_WARNING, False, b"")


def silent(job_id: str = "job") -> Bell:
    bell = Bell(job_id)
    bell.dirty = False
    return bell


async def test_a_bell_is_woken_in_the_first_round_after_its_time() -> None:
    rounds = Rounds()
    until = rounds.now() + 0.05

    async with asyncio.timeout(5):
        await rounds.wait(silent(), until)

    assert rounds.now() >= until


async def test_a_ring_comes_at_once() -> None:
    rounds, bell = Rounds(), silent()
    woken = rounds.wait(bell, rounds.now() + 60)

    bell.ring(HINT)

    assert woken.done()
    rounds.leave(bell)


async def test_bells_of_one_round_share_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), []
    rounds, bells = Rounds(), [silent() for _ in range(100)]
    monkeypatch.setattr(loop, "call_at", lambda *given: timers.append(given))
    until = rounds.now() + 60

    for bell in bells:
        rounds.wait(bell, until)
        bell.ring(HINT)
        rounds.wait(bell, until + ROUND_SECONDS * 5)

    assert len(timers) == 1


async def test_a_time_that_was_put_off_wakes_for_nothing_once() -> None:
    rounds, bell = Rounds(), silent()
    rounds.wait(bell, rounds.now())
    bell.ring(HINT)
    bell.take()
    long = rounds.now() + 60

    async with asyncio.timeout(5):
        await rounds.wait(bell, long)
    again = rounds.wait(bell, long)

    async with asyncio.timeout(5):
        await rounds.wait(silent(), rounds.now())
    assert not again.done()
    rounds.leave(bell)


async def test_an_earlier_time_counts() -> None:
    rounds, bell = Rounds(), silent()
    rounds.wait(bell, rounds.now() + 60)
    bell.wake()

    async with asyncio.timeout(5):
        await rounds.wait(bell, rounds.now())


async def test_a_bell_that_left_is_woken_no_more() -> None:
    rounds, bell, other = Rounds(), silent(), silent()
    until = rounds.now()
    left = rounds.wait(bell, until)
    stays = rounds.wait(other, until)
    rounds.leave(bell)

    async with asyncio.timeout(5):
        await stays

    assert not left.done()


class Nothing:
    """A feed without entries, and a store that has every job at revision 7."""

    async def tip(self) -> FeedId:
        return 0, 0

    async def read(self, after: FeedId) -> list[Entry]:
        return []

    async def revisions(self, job_ids: Sequence[str]) -> list[int]:
        return [7 for _ in job_ids]


async def test_bells_may_leave_in_any_order() -> None:
    hub, dice = Hub(Nothing(), Nothing(), StoreClock()), random.Random(5)
    stay = {hub.join(f"job-{number % 3}") for number in range(60)}
    left = set()
    while stay:
        bell = dice.choice(sorted(stay, key=id))
        stay.discard(bell)
        left.add(bell)
        hub.leave(bell)
        for one in stay | left:
            one.dirty = False

        await hub.compare()

        assert all(one.dirty for one in stay)
        assert not any(one.dirty for one in left)
        assert hub.watchers == len(stay)
