import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from aiohttp import ClientSession

from headgate import keys, log, pb
from headgate_cli.dev.redis_server import RedisServer
from tests.server.world import World, backfill, gather_until_end, metadata_of, reason_of, serving, shape, until


async def build(world: World, *, events: int = 4, finished: bool = True) -> str:
    """A job with a log of so many events, the last of which ends it if asked to."""
    job_id = await world.submit()
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    for _ in range(events - 2 - finished):
        await world.worker.say(job_id)
    if finished:
        await world.worker.finish(job_id)
    return job_id


async def stored(world: World, job_id: str) -> list[bytes]:
    found: list[bytes] = await world.redis.lrange(keys.log(job_id), 0, -1)  # type: ignore[misc]
    return found


async def read(call: "grpc.aio.UnaryStreamCall[Any, pb.WatchJobResponse]", count: int) -> list[pb.WatchJobResponse]:
    async with asyncio.timeout(10):
        return [await call.read() for _ in range(count)]  # type: ignore[misc]


async def test_a_first_watch_gets_a_snapshot_and_then_every_event(world: World) -> None:
    job_id = await world.submit()
    call = world.watch(job_id)
    (first,) = await read(call, 1)
    assert first.snapshot == await world.worker.load(job_id)

    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    await world.worker.say(job_id)
    await world.worker.finish(job_id)

    rest = await gather_until_end(call)
    assert shape([first, *rest]) == [("snapshot", 1), ("event", 2), ("event", 3), ("event", 4), ("end", 4)]
    assert rest[-1].end.reason == pb.STREAM_END_REASON_JOB_TERMINAL
    assert await call.code() is grpc.StatusCode.OK


async def test_events_arrive_as_the_bytes_that_were_written(world: World) -> None:
    job_id = await build(world, events=5)

    messages = await gather_until_end(world.watch(job_id, start_revision=1))

    written = await stored(world, job_id)
    events = [message for message in messages if message.HasField("event")]
    assert [message.event for message in events] == [pb.JobEvent.FromString(raw) for raw in written]
    assert [message.incarnation for message in events] == [log.incarnation(raw) for raw in written]
    assert {message.job for message in messages} == {keys.job_name(job_id)}


async def test_a_watch_that_is_continued_at_any_revision_misses_and_repeats_nothing(world: World) -> None:
    job_id = await build(world, events=8)
    whole = await gather_until_end(world.watch(job_id, start_revision=1))

    for start in range(1, 9):
        known = whole[start - 2].incarnation if start > 1 else ""
        part = await gather_until_end(world.watch(job_id, start_revision=start, incarnation=known))
        assert shape(part) == [*(("event", revision) for revision in range(start, 9)), ("end", 8)]


async def test_a_watch_of_a_finished_job_says_so_even_after_its_last_event(world: World) -> None:
    job_id = await build(world, events=3)

    assert shape(await gather_until_end(world.watch(job_id, start_revision=4))) == [("end", 3)]
    assert shape(await gather_until_end(world.watch(job_id))) == [("snapshot", 3), ("end", 3)]


async def test_a_watch_of_the_next_revision_says_at_once_that_it_lives_and_waits(world: World) -> None:
    job_id = await build(world, finished=False, events=2)
    call = world.watch(job_id, start_revision=3)

    (first,) = await read(call, 1)
    assert (first.WhichOneof("payload"), first.revision) == ("progress", 2)
    await world.worker.say(job_id)

    (second,) = await read(call, 1)
    assert shape([second]) == [("event", 3)]
    call.cancel()


async def test_progress_comes_within_the_interval_asked_for(world: World) -> None:
    job_id = await world.submit()
    request = pb.WatchJobRequest(name=keys.job_name(job_id))
    request.progress_interval.seconds = 1
    call = world.jobs.WatchJob(request)

    messages = await read(call, 3)

    assert [message.WhichOneof("payload") for message in messages] == ["snapshot", "progress", "progress"]
    assert messages[2].progress.server_time.ToNanoseconds() > messages[1].progress.server_time.ToNanoseconds()
    call.cancel()


async def test_a_revision_that_does_not_exist_is_out_of_range(world: World) -> None:
    job_id = await build(world, events=3, finished=False)

    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(world.watch(job_id, start_revision=5))

    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert reason_of(caught.value) == "REVISION_FUTURE"
    assert metadata_of(caught.value) == {"current_revision": "3"}


async def test_a_revision_that_the_log_has_dropped_is_out_of_range(world: World) -> None:
    job_id = await build(world, events=6)
    await world.redis.ltrim(keys.log(job_id), 3, -1)  # type: ignore[misc]

    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(world.watch(job_id, start_revision=3))

    assert reason_of(caught.value) == "REVISION_COMPACTED"
    assert metadata_of(caught.value) == {"compact_revision": "4", "current_revision": "6"}
    later = await gather_until_end(world.watch(job_id, start_revision=5))
    assert shape(later) == [("event", 5), ("event", 6), ("end", 6)]


async def test_an_unknown_job_can_not_be_watched(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(world.watch("nobody"))

    assert reason_of(caught.value) == "JOB_UNKNOWN"


async def test_another_incarnation_is_told_as_lost_history(world: World) -> None:
    job_id = await build(world, events=4, finished=False)

    messages = await gather_until_end(world.watch(job_id, start_revision=3, incarnation="0" * 16))

    assert shape(messages) == [("end", 2)]
    assert messages[-1].end.reason == pb.STREAM_END_REASON_HISTORY_LOST
    assert messages[-1].end.resume_revision == 0


async def test_only_wanted_kinds_are_sent_and_others_count_as_sent(world: World) -> None:
    job_id = await build(world, events=5)

    messages = await gather_until_end(world.watch(job_id, start_revision=1, types=[pb.EVENT_TYPE_STATE_CHANGED]))

    assert shape(messages) == [("event", 2), ("event", 5), ("end", 5)]


async def test_a_live_watch_sends_only_wanted_kinds(world: World) -> None:
    job_id = await world.submit()
    call = world.watch(job_id, start_revision=1, types=[pb.EVENT_TYPE_STATE_CHANGED])
    (first,) = await read(call, 1)
    assert (first.WhichOneof("payload"), first.revision) == ("progress", 1)

    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    await world.worker.say(job_id)
    await world.worker.finish(job_id)

    assert shape(await gather_until_end(call)) == [("event", 2), ("event", 4), ("end", 4)]


async def test_latest_only_sends_snapshots_and_never_skips_the_last(world: World) -> None:
    job_id = await world.submit()
    call = world.watch(job_id, mode=pb.WATCH_MODE_LATEST_ONLY)
    await read(call, 1)

    for _ in range(300):
        await world.worker.say(job_id)
    await world.worker.finish(job_id)

    messages = await gather_until_end(call)
    assert {message.WhichOneof("payload") for message in messages} == {"snapshot", "end"}
    revisions = [message.revision for message in messages[:-1]]
    assert revisions == sorted(set(revisions)) and revisions[-1] == 303
    assert messages[-2].snapshot.state == pb.JOB_STATE_SUCCEEDED


async def test_latest_only_continues_with_one_snapshot(world: World) -> None:
    job_id = await build(world, events=6)

    messages = await gather_until_end(world.watch(job_id, start_revision=3, mode=pb.WATCH_MODE_LATEST_ONLY))

    assert shape(messages) == [("snapshot", 6), ("end", 6)]


async def test_events_appended_while_streams_open_are_never_missed(world: World) -> None:
    job_id = await world.submit()

    async def append() -> None:
        await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
        for _ in range(120):
            await world.worker.say(job_id)
        await world.worker.finish(job_id)

    async def follow(start: int) -> list[tuple[str, int]]:
        await until(lambda: reached(world, job_id, start))
        return shape(await gather_until_end(world.watch(job_id, start_revision=start)))

    async with asyncio.TaskGroup() as group:
        group.create_task(append())
        watchers = {start: group.create_task(follow(start)) for start in range(1, 100, 3)}

    for start, watcher in watchers.items():
        assert watcher.result() == [*(("event", revision) for revision in range(start, 124)), ("end", 123)]


async def reached(world: World, job_id: str, revision: int) -> bool:
    return int(await world.redis.hget(keys.job(job_id), "rev") or 0) + 1 >= revision  # type: ignore[misc]


async def test_two_hundred_watchers_each_see_every_event_once(world: World) -> None:
    job_ids = [await world.submit() for _ in range(10)]
    calls = [world.watch(job_ids[number % 10], start_revision=1) for number in range(200)]
    await asyncio.gather(*(read(call, 1) for call in calls))

    for _ in range(10):
        await asyncio.gather(*(world.worker.say(job_id) for job_id in job_ids))
    await asyncio.gather(*(world.worker.finish(job_id) for job_id in job_ids))

    wanted = [*(("event", revision) for revision in range(2, 14)), ("end", 13)]
    for call in calls:
        assert shape(await gather_until_end(call)) == wanted


async def test_a_slow_watcher_gets_everything_in_order(world: World) -> None:
    job_id = await world.submit()
    call = world.watch(job_id, start_revision=1)
    await read(call, 1)
    filler = "x" * 20_000

    for _ in range(200):  # 4 MB that nobody reads, far more than a bell keeps
        await world.worker.say(job_id, filler)
    await world.worker.finish(job_id)

    wanted = [*(("event", revision) for revision in range(2, 204)), ("end", 203)]
    assert shape(await gather_until_end(call)) == wanted


@pytest.fixture
def quick_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate_server.hub.AUDIT_SECONDS", 0.3)


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
    return log.replay(events[:revision]).SerializeToString()


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


async def test_closed_streams_leave_nothing_behind(world: World) -> None:
    job_id = await world.submit()
    calls = [world.watch(job_id) for _ in range(50)]
    await asyncio.gather(*(read(call, 1) for call in calls))

    for call in calls:
        call.cancel()

    await until(lambda: no_open_watches(world))
    assert (await world.worker.load(job_id)).state == pb.JOB_STATE_QUEUED


async def no_open_watches(world: World) -> bool:
    async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
        return "headgate_open_watches 0.0" in await response.text()
