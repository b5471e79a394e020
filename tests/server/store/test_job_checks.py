"""The reads of a job's self-check, on a real Redis, and the walk over jobs that no index names."""

from typing import Any

import pytest

from headgate.store import keys
from headgate_redis.pipeline import Pipeline
from headgate_server.store.job_checks import RedisJobChecks


@pytest.fixture
def checks(pipeline: Pipeline) -> RedisJobChecks:
    return RedisJobChecks(pipeline)


async def test_what_is_not_there_is_told_as_nothing(checks: RedisJobChecks) -> None:
    columns, length, first, scores, states = await checks.row("nothing")

    assert not any(columns) and length == 0 and not first and not any(scores) and not any(states)
    assert await checks.events("nothing", 0, 5) == []


async def test_a_row_has_columns_log_and_places(checks: RedisJobChecks, redis: Any) -> None:
    await redis.hset(keys.job("a"), mapping={"rev": "2", "uid": "u1"})
    await redis.rpush(keys.log("a"), b"one", b"two")
    await redis.zadd(keys.JOBS, {"a": 7})
    columns, length, first, scores, _ = await checks.row("a")

    assert b"u1" in columns and (length, first) == (2, b"one") and float(scores[0]) == 7
    assert await checks.events("a", 1, 1) == [b"two"]


async def test_dates_have_their_holders_and_a_key_of_another_type_has_none(checks: RedisJobChecks, redis: Any) -> None:
    await redis.hset("claims", mapping={"20250205": "a"})
    await redis.set("text", "x")

    assert await checks.holders("claims", ["20250205", "20250206"]) == [b"a", None]
    assert await checks.holders("claims", []) == [] and await checks.holders("text", ["20250205"]) == [None]


async def test_a_walk_finds_the_jobs_that_no_index_names(checks: RedisJobChecks, redis: Any) -> None:
    for number in range(3_000):
        await redis.set(f"other:{number}", "x")
    for name in ("listed", "lost", "forgotten"):
        await redis.hset(keys.job(name), "rev", "1")
    await redis.zadd(keys.JOBS, {"listed": 1})

    cursor, found, steps = 0, set[str](), 0
    while steps == 0 or cursor:
        cursor, names = await checks.unlisted(cursor)
        found |= set(names)
        steps += 1

    assert found == {"lost", "forgotten"} and steps > 1
