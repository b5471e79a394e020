"""Dates that plans have looked up, in Redis."""

from redis.asyncio import Redis

from headgate.store import keys
from headgate_worker.store.jobs import Store
from headgate_worker.store.kept_surveys import LIFE_MS
from tests.worker.core.model.test_kept_survey import KEPT


async def test_what_one_plan_keeps_another_finds(store: Store, redis: Redis) -> None:
    await store.kept_surveys.keep("aa", {"20250205": KEPT, "20250206": KEPT})
    await store.kept_surveys.keep("aa", {})

    found = await store.kept_surveys.of("aa", ["20250205", "20250207"])
    assert found == {"20250205": KEPT} and await store.kept_surveys.of("bb", ["20250205"]) == {}
    assert await store.kept_surveys.of("aa", []) == {}
    assert LIFE_MS - 60_000 < await redis.pttl(keys.survey("aa")) <= LIFE_MS


async def test_what_is_no_hash_or_no_record_is_looked_up_again(store: Store, redis: Redis) -> None:
    await redis.set(keys.survey("aa"), "damaged")
    await redis.hset(keys.survey("bb"), "20250205", "damaged")  # type: ignore[misc]

    assert await store.kept_surveys.of("aa", ["20250205"]) == await store.kept_surveys.of("bb", ["20250205"]) == {}
