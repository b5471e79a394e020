"""Watching through losses: of the feed, of the log, of the store, and of the stream itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from headgate import pb
from headgate.job import event_log
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from tests.server.watching import build, read, stored
from tests.server.world import World, backfill, gather_until_end, reason_of, serving, shape, until


@pytest.fixture
def quick_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate_server.watch.hub.AUDIT_SECONDS", 0.3)


async def test_a_feed_that_is_trimmed_or_lost_loses_nothing(world: World) -> None:
    job_id = await world.submit()
    call = world.watch(job_id, start_revision=1)
    await read(call, 1)

    for _ in range(5):
        await world.worker.say(job_id)
        await world.redis.xtrim(keys.FEED, maxlen=0, approximate=False)
    await world.redis.delete(keys.FEED)
    await world.worker.finish(job_id)
    await world.redis.delete(keys.FEED)

    assert shape(await gather_until_end(call)) == [*(("event", revision) for revision in range(2, 9)), ("end", 8)]


async def test_an_event_that_never_reached_the_feed_is_found_by_the_audit(quick_audit: None, world: World) -> None:
    job_id = await world.submit()
    call = world.watch(job_id, start_revision=1)
    await read(call, 1)

    await world.redis.set("hg:elsewhere", "x")
    await world.redis.delete(keys.FEED)
    await world.redis.set(keys.FEED, "not a stream: the script's XADD fails, the commit does not")
    await world.worker.finish(job_id)
    await world.redis.delete(keys.FEED)

    assert shape(await gather_until_end(call)) == [("event", 2), ("event", 3), ("end", 3)]


async def test_a_deleted_job_ends_its_streams(world: World) -> None:
    job_id = await build(world, events=3, finished=False)
    call = world.watch(job_id)
    await read(call, 1)

    await world.redis.delete(keys.job(job_id), keys.log(job_id))
    await world.redis.xadd(keys.FEED, {"i": job_id, "r": "0", "e": ""})

    messages = await gather_until_end(call)
    assert messages[-1].end.reason == pb.STREAM_END_REASON_JOB_DELETED


async def test_a_log_that_lost_its_tail_is_told_as_lost_history(quick_audit: None, world: World) -> None:
    job_id = await build(world, events=6, finished=False)
    call = world.watch(job_id)
    await read(call, 1)

    await world.redis.ltrim(keys.log(job_id), 0, 3)  # type: ignore[misc]
    await world.redis.hset(keys.job(job_id), "rev", "4")  # type: ignore[misc]

    messages = await gather_until_end(call)
    assert messages[-1].end.reason == pb.STREAM_END_REASON_HISTORY_LOST
    assert messages[-1].end.resume_revision == 0


async def test_a_rewritten_log_is_told_before_its_next_event(world: World) -> None:
    job_id = await build(world, events=6, finished=False)
    call = world.watch(job_id)
    await read(call, 1)

    async with world.redis.pipeline(transaction=True) as together:  # a tail is lost, and somebody writes on at once
        together.ltrim(keys.log(job_id), 0, 3)
        together.hset(keys.job(job_id), mapping={"rev": "4", "snap": (await snapshot_at(world, job_id, 4))})
        await together.execute()
    for _ in range(4):
        await world.worker.say(job_id, "another history")

    messages = await gather_until_end(call)
    assert [kind for kind, _ in shape(messages)] == ["end"]
    assert messages[-1].end.reason == pb.STREAM_END_REASON_HISTORY_LOST


async def snapshot_at(world: World, job_id: str, revision: int) -> bytes:
    events = [pb.JobEvent.FromString(raw) for raw in await stored(world, job_id)]
    return event_log.replay(events[:revision]).SerializeToString()


async def test_a_stream_reaches_its_age_and_says_where_to_go_on(redis_url: str) -> None:
    async with serving(redis_url, max_stream_age=0.2) as world:
        job_id = await build(world, events=3, finished=False)

        messages = await gather_until_end(world.watch(job_id))

    assert messages[-1].end.reason == pb.STREAM_END_REASON_MAX_STREAM_AGE
    assert messages[-1].end.resume_revision == 4


async def test_more_streams_than_allowed_are_refused(redis_url: str) -> None:
    async with serving(redis_url, max_watches=1) as world:
        job_id = await world.submit()
        call = world.watch(job_id)
        await read(call, 1)

        with pytest.raises(grpc.RpcError) as caught:
            await gather_until_end(world.watch(job_id))

        assert reason_of(caught.value) == "CALLER_LIMIT"
        call.cancel()
        await until(lambda: opens(world, job_id))


async def opens(world: World, job_id: str) -> bool:
    call = world.watch(job_id)
    try:
        await call.read()
    except grpc.RpcError:
        return False
    call.cancel()
    return True


async def test_run_job_submits_and_follows(world: World) -> None:
    call = world.jobs.RunJob(pb.RunJobRequest(backfill=backfill(request_id="r-1", job_id="mine")))
    (first,) = await read(call, 1)
    assert (first.snapshot.name, first.revision) == ("jobs/mine", 1)
    await world.worker.finish("mine")
    assert shape(await gather_until_end(call)) == [("event", 2), ("event", 3), ("end", 3)]

    again = world.jobs.RunJob(pb.RunJobRequest(backfill=backfill(request_id="r-1", job_id="mine")))
    assert shape(await gather_until_end(again)) == [("snapshot", 3), ("end", 3)]


@asynccontextmanager
async def durable() -> AsyncIterator[tuple[RedisServer, World]]:
    async with RedisServer(appendonly=True, appendfsync="always") as redis, serving(redis.url) as world:
        yield redis, world


async def test_streams_outlive_a_restart_of_redis() -> None:
    async with durable() as (redis, world):
        job_ids = [await world.submit() for _ in range(5)]
        calls = [world.watch(job_id, start_revision=1) for job_id in job_ids for _ in range(4)]
        await asyncio.gather(*(read(call, 1) for call in calls))

        await redis.kill()
        await redis.start()
        await asyncio.gather(*(world.worker.finish(job_id) for job_id in job_ids))

        for call in calls:
            assert shape(await gather_until_end(call)) == [("event", 2), ("event", 3), ("end", 3)]


async def test_a_store_that_comes_back_empty_is_told_as_lost_history() -> None:
    async with RedisServer() as redis, serving(redis.url) as world:
        call = world.watch(await world.submit())
        await read(call, 1)

        await redis.kill()
        await redis.start()

        messages = await gather_until_end(call)
        assert messages[-1].end.reason == pb.STREAM_END_REASON_HISTORY_LOST
