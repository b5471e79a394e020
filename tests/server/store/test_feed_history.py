"""The feed's past, and the walk over active jobs."""

from typing import Any

import pytest

from headgate import pb
from headgate.messages.feed_entries import FeedId, entry_of
from headgate.store import commit, keys
from headgate_redis.pipeline import Pipeline
from headgate_server.ports.feed import START, position_of
from headgate_server.store.feed_history import RedisHistory
from tests.server.world import World


async def submitted(world: World, count: int) -> list[str]:
    return [await world.submit(job_id=f"job-{number}") for number in range(count)]


async def test_an_empty_feed_has_a_begin_and_nothing_after_it(pipeline: Pipeline) -> None:
    history = RedisHistory(pipeline)

    assert await history.tip() == START and await history.read((0, 0), 10) == []
    assert not await history.begins_after(START.id)


async def test_entries_are_read_from_an_id_on_in_order(world: World, pipeline: Pipeline) -> None:
    job_ids = await submitted(world, 5)
    history = RedisHistory(pipeline)

    found = await history.read((0, 0), 100)

    assert [entry.job_id for entry in found] == job_ids and all(entry.revision == 1 for entry in found)
    assert await history.read(found[2].id, 2) == found[2:4]
    assert await history.tip() == position_of(found[-1])


async def test_an_entry_that_can_not_be_read_keeps_its_place(world: World, pipeline: Pipeline, redis: Any) -> None:
    await submitted(world, 1)
    (raw,) = await redis.xrange(keys.FEED)
    fields = {name: (b"\xff\xff" if value.startswith(b"\x08") else value) for name, value in raw[1].items()}
    await redis.xadd(keys.FEED, fields)

    first, damaged = await RedisHistory(pipeline).read((0, 0), 10)

    assert first == entry_of([raw[0], [part for pair in raw[1].items() for part in pair]])
    assert (damaged.job_id, damaged.revision, damaged.event) == ("", 0, b"") and damaged.id > first.id


@pytest.mark.parametrize(
    ("position", "length", "trimmed"),
    [((5, 0), 3, True), ((10, 0), 3, False), ((0, 0), 3, False), ((0, 0), commit.FEED_LENGTH, True)],
)
async def test_a_feed_that_begins_after_a_position_may_have_lost_entries(
    pipeline: Pipeline, redis: Any, position: FeedId, length: int, trimmed: bool
) -> None:
    await redis.xadd(keys.FEED, {"x": "x"}, id="10-0")
    async with redis.pipeline() as batch:
        for _ in range(length - 1):
            batch.xadd(keys.FEED, {"x": "x"})
        await batch.execute()

    assert await RedisHistory(pipeline).begins_after(position) is trimmed


async def test_a_walk_meets_active_jobs_of_every_state_in_order_of_acceptance(pipeline: Pipeline, redis: Any) -> None:
    await redis.zadd(keys.state(pb.JOB_STATE_RUNNING), {"b": 2, "d": 4})
    await redis.zadd(keys.state(pb.JOB_STATE_QUEUED), {"a": 1, "c": 3})
    await redis.zadd(keys.state(pb.JOB_STATE_SUCCEEDED), {"ended": 5})
    history = RedisHistory(pipeline)

    assert await history.active(0, 3) == [("a", 1), ("b", 2), ("c", 3)]
    assert await history.active(3, 3) == [("d", 4)]
