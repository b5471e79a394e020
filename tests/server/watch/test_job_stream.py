import asyncio

import grpc
import pytest
from aiohttp import ClientSession

from headgate import pb
from headgate.job import event_log
from headgate.store import keys
from tests.server.watching import build, read, stored
from tests.server.world import World, gather_until_end, metadata_of, reason_of, shape, until


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
    assert [message.incarnation for message in events] == [event_log.incarnation(raw) for raw in written]
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


async def test_progress_says_when_upstream_was_read_and_will_be(world: World) -> None:
    job_id = await world.submit()
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    await world.redis.hset(keys.job(job_id), mapping={"polled": 1_739_019_600_000, "polls_at": 1_739_019_615_000})  # type: ignore[misc]
    call = world.watch(job_id, start_revision=3)

    (sign,) = await read(call, 1)

    assert sign.progress.last_upstream_poll_time.ToMilliseconds() == 1_739_019_600_000
    assert sign.progress.next_upstream_poll_time.ToMilliseconds() == 1_739_019_615_000
    call.cancel()


async def test_progress_says_nothing_of_polls_that_never_were(world: World) -> None:
    job_id = await world.submit()
    call = world.watch(job_id, start_revision=2)

    (sign,) = await read(call, 1)

    assert not sign.progress.HasField("last_upstream_poll_time")
    assert not sign.progress.HasField("next_upstream_poll_time")
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


@pytest.mark.parametrize("revision", [5, 2**63 - 1])
async def test_a_revision_that_does_not_exist_is_out_of_range(world: World, revision: int) -> None:
    job_id = await build(world, events=3, finished=False)

    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(world.watch(job_id, start_revision=revision))

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

    for _ in range(200):  # 4 MB that nobody reads, far more than a subscription keeps
        await world.worker.say(job_id, filler)
    await world.worker.finish(job_id)

    wanted = [*(("event", revision) for revision in range(2, 204)), ("end", 203)]
    assert shape(await gather_until_end(call)) == wanted


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


async def test_latest_only_obeys_the_kinds_that_are_wanted(world: World) -> None:
    job_id = await build(world, events=3, finished=False)
    call = world.watch(
        job_id,
        mode=pb.WATCH_MODE_LATEST_ONLY,
        types=[pb.EVENT_TYPE_PAUSE_REQUESTED],
        progress_interval={"seconds": 1},
    )
    assert shape(await read(call, 1)) == [("snapshot", 3)]

    await world.worker.say(job_id)
    (alive,) = await read(call, 1)
    assert (alive.WhichOneof("payload"), alive.revision) == ("progress", 4), "what is not wanted counts as sent"
    await world.jobs.PauseJob(pb.PauseJobRequest(name=keys.job_name(job_id)))
    assert shape(await read(call, 1)) == [("snapshot", 5)]
    await world.worker.append(job_id, *(pb.JobEvent(type=pb.EVENT_TYPE_WARNING) for _ in range(100)))
    assert shape(await read(call, 1)) == [("snapshot", 105)], "so much at once is told whatever it is"
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    await world.worker.finish(job_id)

    assert shape(await gather_until_end(call)) == [("snapshot", 107), ("end", 107)]


async def test_latest_only_from_a_revision_on_shows_the_whole_job(world: World) -> None:
    job_id = await build(world, events=5)

    snapshot, _ = await gather_until_end(world.watch(job_id, start_revision=2, mode=pb.WATCH_MODE_LATEST_ONLY))

    assert snapshot.snapshot == await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id)))
