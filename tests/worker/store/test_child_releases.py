"""What workers know of how connections begin children: shared, durable, and free of charge for ticks."""

from __future__ import annotations

from redis.asyncio import Redis

from headgate.process.child_release import UNKNOWN, ReleaseEvidence, ReleaseFact
from headgate.store import keys
from headgate_worker.store.child_releases import ChildReleases

NO = ReleaseEvidence(False, ReleaseFact(False, 1_000, "jobs/t", 7))
YES = ReleaseEvidence(True, ReleaseFact(True, 2_000, "jobs/u", 8), 300)


async def _commands(redis: Redis) -> int:
    found = await redis.info("commandstats")
    return sum(stat["calls"] for name, stat in found.items() if name not in ("cmdstat_info", "cmdstat_time"))


async def test_what_one_worker_learns_another_knows(redis: Redis) -> None:
    one = ChildReleases(redis)

    known = await one.learn("eu", NO)

    assert known.after_failure == NO.fact
    assert await ChildReleases(redis).of("eu") == known
    assert await one.of("eu") == known
    assert await ChildReleases(redis).of("us") == UNKNOWN
    assert await redis.pttl(keys.child_release("eu")) > 0


async def test_what_two_have_learnt_is_kept_side_by_side(redis: Redis) -> None:
    one, other = ChildReleases(redis), ChildReleases(redis)
    assert await other.of("") == UNKNOWN

    await one.learn("", NO)
    known = await other.learn("", YES)

    assert (known.after_failure, known.after_success, known.lag_ms) == (NO.fact, YES.fact, 1_000)


async def test_many_ticks_of_a_connection_cost_one_command(redis: Redis) -> None:
    releases, before = ChildReleases(redis), await _commands(redis)

    for _ in range(100):
        await releases.of("")

    assert await _commands(redis) - before == 1


async def test_the_same_again_is_not_written(redis: Redis) -> None:
    releases = ChildReleases(redis)
    await releases.learn("", NO)
    before = await _commands(redis)

    await releases.learn("", NO)

    assert await _commands(redis) == before


async def test_of_what_cant_be_read_nothing_is_known(redis: Redis) -> None:
    await redis.set(keys.child_release("a"), b"\xff")
    await redis.hset(keys.child_release("b"), "x", "y")  # type: ignore[misc]  # its stubs mix both clients

    assert await ChildReleases(redis).of("a") == UNKNOWN
    assert await ChildReleases(redis).of("b") == UNKNOWN
