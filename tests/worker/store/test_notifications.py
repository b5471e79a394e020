"""The feed, jobs, positions and the lease of notifications on a real Redis."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.messages.feed_entries import FeedEntry, event_of
from headgate.store import commit, keys
from headgate_worker.store.jobs import Store
from headgate_worker.store.notifications import RedisNotifications
from tests.worker.conftest import eventually
from tests.worker.submitting import backfill_job, cancel, seed_backfill, submit


@pytest.fixture
def found(redis: Redis) -> RedisNotifications:
    return RedisNotifications(redis)


async def test_two_workers_have_one_leader_until_its_lease_ends(found: RedisNotifications) -> None:
    assert await found.lead("a", 60_000) == 1
    assert await found.lead("b", 60_000) is None
    assert await found.lead("a", 1) == 1

    async def b_leads() -> bool:
        return await found.lead("b", 60_000) == 2

    await eventually(b_leads)
    assert await found.lead("a", 60_000) is None


async def test_a_leader_that_resigns_is_followed_at_once(found: RedisNotifications) -> None:
    await found.lead("a", 60_000)
    await found.lead("a", 0)

    assert await found.lead("b", 60_000) == 2


async def test_positions_are_kept_by_the_fence_only(found: RedisNotifications) -> None:
    assert await found.lead("a", 0) == 1
    assert await found.lead("b", 60_000) == 2

    assert not await found.move("a", 1, {"ops": (9, 9)})
    assert not await found.move("b", 1, {"ops": (9, 9)})
    assert await found.positions() == {}
    assert await found.move("b", 2, {"ops": (5, 1), "ledger": (6, 0)})
    assert await found.positions() == {"ops": (5, 1), "ledger": (6, 0)}


async def test_the_feed_is_read_on_from_a_position(found: RedisNotifications, store: Store) -> None:
    assert await found.tip() == (0, 0)
    assert (await found.read((0, 0), 10)).is_whole
    ids = [await submit(store, backfill_job(seed_backfill())) for _ in range(3)]

    first = await found.read((0, 0), 2)
    rest = await found.read(first.entries[-1].id, 2)

    assert [entry.job_id for entry in (*first.entries, *rest.entries)] == ids
    assert first.is_whole and rest.is_whole and rest.entries[-1].id == await found.tip()
    assert await found.read(rest.entries[-1].id, 2) == type(rest)((), True)


async def test_a_feed_that_was_trimmed_past_a_position_is_not_whole(
    found: RedisNotifications, store: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await submit(store, backfill_job(seed_backfill()))
    first = (await found.read((0, 0), 1)).entries[0]
    await redis.xtrim(keys.FEED, maxlen=1, approximate=False)

    page = await found.read(first.id, 10)

    assert (len(page.entries), page.is_whole) == (1, False)
    assert (await found.read((0, 0), 10)).is_whole, "one that is not full was never trimmed"
    monkeypatch.setattr(commit, "FEED_LENGTH", 1)
    assert not (await found.read((0, 0), 10)).is_whole


async def entries(found: RedisNotifications) -> list[FeedEntry]:
    return list((await found.read((0, 0), 100)).entries)


async def test_a_job_is_told_as_it_stands_with_its_state_before_and_without_payloads(
    found: RedisNotifications, store: Store
) -> None:
    job_id = await submit(store, backfill_job(seed_backfill(workflow_parameters="hunter2"), labels={"team": "orders"}))
    job = await store.load(job_id)
    assert job is not None
    await cancel(store, job)
    accepted, cancelled = await entries(found)

    one, other = await found.jobs_at([accepted, cancelled])

    assert one is not None and other is not None
    assert (one.before, other.before) == (pb.JOB_STATE_UNSPECIFIED, pb.JOB_STATE_QUEUED)
    assert one.job.labels["team"] == "orders" and one.job.uid == job.uid
    assert "hunter2" not in str(one.job)
    event = event_of(accepted)
    assert event is not None and "hunter2" not in str(event)
    assert await found.jobs_at([]) == ()


async def test_a_job_that_is_gone_another_life_or_damaged_is_none(
    found: RedisNotifications, store: Store, redis: Redis
) -> None:
    gone, other, damaged, broken = [await submit(store, backfill_job(seed_backfill())) for _ in range(4)]
    rows = await entries(found)
    await redis.delete(keys.job(gone), keys.log(gone))
    await redis.lset(keys.log(other), 0, pb.JobEvent(revision=1).SerializeToString())  # type: ignore[misc, arg-type]
    await redis.delete(keys.log(damaged))
    await redis.set(keys.log(damaged), "x")
    await redis.hset(keys.job(broken), "snap", b"\xff\xff")  # type: ignore[misc, arg-type]

    assert await found.jobs_at(rows) == [None] * 4
