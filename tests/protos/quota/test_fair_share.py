"""Creators share a quota: equal shares, all of it used, nobody left out, whoever comes and goes. In virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from headgate.quota import admission, fair_share
from headgate.quota import limits as quota_limits
from headgate.quota.limits import Limits
from headgate_cli.dev.redis_server import RedisServer
from tests.worker.quota_crowd import CONNECTION, Crowd, World

pytestmark = pytest.mark.slow

SLOW = Limits(total_qps=5)
FAST = Limits(read_qps=50, write_qps=20)


@pytest.fixture
async def clockless() -> AsyncIterator[Redis]:
    """A client that waits for its answers on its one connection: virtual time has one thread."""
    async with RedisServer() as server:
        with Redis.from_url(server.url, single_connection_client=True) as client:
            yield client


def off(world: World, from_ms: int, to_ms: int, creators: str) -> float:
    """How far the calls of these creators are from their mean, as a part of it."""
    calls = world.calls(from_ms, to_ms)
    mean = sum(calls[name] for name in creators) / len(creators)
    return max(abs(calls[name] - mean) for name in creators) / mean


def left(answer: object) -> list[bytes]:
    """A list of names, as the client that waits answers it."""
    assert isinstance(answer, list)
    return answer


@pytest.mark.parametrize(
    ("limits", "jobs", "seconds"),
    [
        (SLOW, (300, 30, 3), 300),
        (FAST, (300, 100, 30), 60),
        (SLOW, (10,) * 20, 160),
        (Limits(total_qps=0.5), (50, 10, 3), 1_000),
    ],
)
def test_creators_have_equal_shares_however_many_jobs_each_has(
    clockless: Redis, limits: Limits, jobs: tuple[int, ...], seconds: int
) -> None:
    names = "abcdefghijklmnopqrst"[: len(jobs)]
    crowds = [Crowd(name, count) for name, count in zip(names, jobs, strict=True)]
    world = World(clockless, limits).run(crowds, seconds * 1_000)

    assert off(world, 20_000, seconds * 1_000, names) < 0.05
    assert world.used(20_000, seconds * 1_000) > 0.99
    assert world.most_within(1_000) <= max(1, limits.total_qps or limits.read_qps)


@pytest.mark.parametrize("jobs", [8, 20, 300])
@pytest.mark.parametrize("pause_ms", [3_000, 60_000])
def test_what_others_do_not_use_one_may_use(clockless: Redis, jobs: int, pause_ms: int) -> None:
    world = World(clockless, SLOW).run([Crowd("a", jobs), Crowd("b", 1, pause_ms)], 200_000)

    assert world.used(0, 200_000) > 0.99
    assert world.waits("b")[-1] <= 2_000


def test_few_jobs_at_a_high_rate_keep_the_others_from_nothing(clockless: Redis) -> None:
    world = World(clockless, FAST).run([Crowd("a", 200), Crowd("b", 100), Crowd("c", 3)], 60_000)

    assert world.used(10_000, 60_000) > 0.99
    assert off(world, 10_000, 60_000, "ab") < 0.1
    assert world.waits("c")[-1] <= 2_000


def test_who_comes_when_slots_are_booked_far_ahead_has_its_share_within_seconds(clockless: Redis) -> None:
    """Slots are booked for six minutes. What was told its time before is told another one at it, and goes on."""
    come_ms, go_ms = 60_000, 160_000
    crowds = [Crowd("a", 2_000), Crowd("b", 20, from_ms=come_ms, until_ms=go_ms)]
    world = World(clockless, SLOW).run(crowds, 260_000)

    assert off(world, come_ms + 5_000, come_ms + 15_000, "ab") < 0.2
    assert off(world, come_ms + 15_000, go_ms, "ab") < 0.05
    assert all(world.used(at_ms, at_ms + 10_000) > 0.95 for at_ms in range(0, 250_000, 10_000))
    assert world.calls(go_ms + 10_000, 260_000).keys() == {"a"}


def test_who_has_slots_far_ahead_need_not_have_asked_lately_to_make_room(clockless: Redis) -> None:
    """All of them asked within the first second, and wait for slots of two minutes."""
    crowds = [Crowd("a", 600, 60_000), Crowd("b", 5, from_ms=30_000)]
    world = World(clockless, SLOW).run(crowds, 90_000)

    assert world.waits("b")[-1] <= 5_000
    assert off(world, 40_000, 90_000, "ab") < 0.2
    assert world.used(0, 90_000) > 0.99


def test_nobody_starves(clockless: Redis) -> None:
    """Each job has its turn, and those of one creator about in the order of their asking."""
    world = World(clockless, SLOW).run([Crowd("a", 100), Crowd("b", 300)], 600_000)

    assert {one.job for one in world.out} == set(range(400))
    waits = [one.waited_ms for one in world.out if one.crowd.creator == "a" and one.at_ms > 200_000]
    mean = sum(waits) / len(waits)
    assert max(waits) < 2.5 * mean


def test_priority_goes_among_the_jobs_of_one_creator_and_takes_nothing_from_others(clockless: Redis) -> None:
    crowds = [Crowd("a", 100), Crowd("a", 3, priority=5), Crowd("b", 100)]
    world = World(clockless, SLOW).run(crowds, 300_000)

    assert off(world, 20_000, 300_000, "ab") < 0.05
    urgent, others = world.waits("a", 5), world.waits("a")
    assert urgent[len(urgent) // 2] < others[len(others) // 2] / 5


def test_many_urgent_jobs_let_the_others_wait_but_not_for_ever(clockless: Redis) -> None:
    minutes = 12
    world = World(clockless, SLOW).run([Crowd("a", 20), Crowd("a", 40, priority=3), Crowd("b", 30)], minutes * 60_000)

    assert {one.job for one in world.out} == set(range(90))
    assert world.waits("a")[-1] < (3 + 2) * 60_000
    assert sum(world.waits("a", 3)) / len(world.waits("a", 3)) < sum(world.waits("a")) / len(world.waits("a"))


def test_those_who_wait_ask_seldom(clockless: Redis) -> None:
    world = World(clockless, SLOW).run([Crowd("a", 1_000), Crowd("b", 300), Crowd("c", 3)], 120_000)

    first = 1_300  # each asks once to begin with
    assert world.asks.total() - first < 120 * 3 * 5 * 4


def test_cancels_go_ahead_of_shares(clockless: Redis) -> None:
    cancels = Crowd("a", 5, 10_000, from_ms=30_000, klass=quota_limits.WRITE, cancel=True, priority=1)
    world = World(clockless, SLOW).run([Crowd("a", 300), Crowd("b", 300), cancels], 60_000)

    assert world.waits("a", 1)[-1] < 2_500
    assert world.most_within(1_000) <= 5


def test_throttling_takes_from_all_alike(clockless: Redis) -> None:
    crowds = [Crowd("a", 200), Crowd("b", 40), Crowd("c", 20)]
    world = World(clockless, FAST, throttles_ms=range(10_000, 40_000, 2_000)).run(crowds, 80_000)

    assert off(world, 10_000, 40_000, "abc") < 0.2
    assert off(world, 40_000, 80_000, "abc") < 0.1


def test_of_one_creator_nothing_is_counted(clockless: Redis) -> None:
    """Nor told to come later: each call asks once, and shows its slot once."""
    world = World(clockless, SLOW).run([Crowd("a", 300)], 100_000)

    assert world.asks["a"] <= 2 * len(world.out) + 300
    assert world.waits("a")[-1] < 300 / (5 * 0.96) * 1_000 + 1_000
    assert not [key for key in left(clockless.keys()) if b"creators" in key or b"turns" in key]


def test_calls_of_no_creator_are_outside_of_the_shares(clockless: Redis) -> None:
    world = World(clockless, SLOW).run([Crowd("a", 100), Crowd("b", 100), Crowd("", 1, 2_000)], 60_000)

    assert world.waits("")[-1] < 2_500
    assert off(world, 10_000, 60_000, "ab") < 0.1


def test_what_is_counted_goes_with_the_creators(clockless: Redis) -> None:
    come_and_go = [Crowd(f"c{n}", 5, from_ms=n * 1_000, until_ms=n * 1_000 + 500) for n in range(40)]
    end_ms = 60_000 + fair_share.APART_MS + 10_000
    World(clockless, SLOW).run([*come_and_go, Crowd("a", 50)], 60_000)
    creators, turns = admission.script_keys(CONNECTION, quota_limits.READ, SLOW)[3:]
    assert clockless.zrange(creators, 0, -1) == [b"a"]
    assert all(field.endswith(b":a") for field in left(clockless.hkeys(turns)))

    World(clockless, SLOW).run([Crowd("b", 1, 1_000, until_ms=3_000), Crowd("a", 50, 2_000)], end_ms)
    assert not [key for key in left(clockless.keys()) if b"creators" in key or b"turns" in key]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    qps=st.sampled_from([3, 5, 10, 20]),
    jobs=st.lists(st.integers(1, 120), min_size=2, max_size=4),
    pause_ms=st.integers(0, 2_000),
    late_ms=st.integers(0, 150),
    sparse=st.integers(0, 5),
)
def test_a_new_creator_gets_what_it_can_use_up_to_an_equal_share(
    clockless: Redis, qps: int, jobs: list[int], pause_ms: int, late_ms: int, sparse: int
) -> None:
    """A job has at most one call at a time, which waits up to 2 s where it could go at once."""
    crowds = [Crowd("abcd"[n], count, pause_ms, late_ms=late_ms) for n, count in enumerate(jobs)]
    rare = [Crowd(f"s{n}", 1, 7_000) for n in range(sparse)]
    world = World(clockless, Limits(total_qps=qps)).run([*crowds, *rare], 80_000)

    calls, seconds = world.calls(20_000, 80_000), 60
    fair = sum(calls[crowd.creator] for crowd in crowds) / len(crowds)
    for crowd in crowds:
        usable = crowd.jobs / (2.1 + (pause_ms + world.answer_ms + late_ms) / 1_000) * seconds
        assert calls[crowd.creator] >= 0.8 * min(fair, usable), (calls, crowd)
    wanted = sum(crowd.jobs / (2.1 + (pause_ms + world.answer_ms + late_ms) / 1_000) for crowd in crowds)
    assert calls.total() >= 0.95 * seconds * min(wanted, qps * 0.96)
    assert world.most_within(1_000) <= qps
