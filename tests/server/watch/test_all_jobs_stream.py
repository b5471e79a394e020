import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate.job import event_log
from headgate.messages.feed_entries import FeedEntry
from headgate.store import commit, keys
from headgate_server import app
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.feed import START, FeedPosition, position_of, read_token, write_token
from headgate_server.watch import all_jobs_stream, feed_subscription
from headgate_server.watch.feed_subscription import FeedSubscription
from tests.server.world import (
    World,
    backfill,
    connected,
    fields_of,
    gather_until_end,
    quick_settings,
    reason_of,
    serving,
    shape,
    status_of,
)

Call = grpc.aio.UnaryStreamCall[Any, pb.WatchJobResponse]


def watch(world: World, **given: Any) -> "Call":
    call: Call = world.jobs.WatchJobs(pb.WatchJobsRequest(**given))
    return call


async def message_where(call: "Call", wanted: Callable[[pb.WatchJobResponse], bool]) -> pb.WatchJobResponse:
    async with asyncio.timeout(10):
        while True:
            message = await call.read()
            assert isinstance(message, pb.WatchJobResponse)
            if wanted(message):
                return message


async def next_news(call: "Call") -> pb.WatchJobResponse:
    """The next message that is no sign of life."""
    return await message_where(call, lambda message: not message.HasField("progress"))


async def first_token(call: "Call") -> str:
    """The token of the first sign of life, which comes when the snapshots are complete."""
    return (await message_where(call, lambda message: message.HasField("progress"))).resume_token


async def label(world: World, team: str) -> str:
    request = backfill()
    request.options.labels["team"] = team
    return keys.job_id((await world.backfills.CreateBackfill(request)).name)


async def test_a_first_watch_begins_with_every_active_job_and_goes_on_with_what_happens(world: World) -> None:
    one, two, ended = [await world.submit() for _ in range(3)]
    await world.worker.finish(ended)
    call = watch(world)

    snapshots = [await next_news(call) for _ in range(2)]
    assert [(found.job, found.revision) for found in snapshots] == [(f"jobs/{one}", 1), (f"jobs/{two}", 1)]
    assert snapshots[0].snapshot == await world.worker.load(one)
    token = await first_token(call)

    await world.worker.say(two)
    three = await world.submit()
    events = [await next_news(call) for _ in range(2)]
    call.cancel()
    assert [(found.job, found.revision) for found in events] == [(f"jobs/{two}", 2), (f"jobs/{three}", 1)]
    assert events[1].event.type == pb.EVENT_TYPE_ACCEPTED
    assert len({token, *(found.resume_token for found in events)}) == 3
    written: bytes = await world.redis.lindex(keys.log(two), 1)  # type: ignore[misc]
    assert events[0].event == pb.JobEvent.FromString(written)
    assert events[0].incarnation == event_log.incarnation(written)


async def test_a_watch_that_is_continued_gets_what_followed_and_no_snapshot(world: World) -> None:
    job_id = await world.submit()
    call = watch(world)
    await next_news(call)
    token = await first_token(call)
    call.cancel()
    for _ in range(3):
        await world.worker.say(job_id)

    again = watch(world, resume_token=token)
    found = [await next_news(again) for _ in range(3)]
    again.cancel()
    assert shape(found) == [("event", 2), ("event", 3), ("event", 4)]

    middle = watch(world, resume_token=found[1].resume_token)
    assert shape([await next_news(middle)]) == [("event", 4)]
    middle.cancel()


async def test_only_events_of_jobs_that_pass_the_filter_are_sent(world: World) -> None:
    mine, other = await label(world, "orders"), await label(world, "other")
    call = watch(world, filter='labels.team = "orders"')
    assert (await next_news(call)).job == keys.job_name(mine)
    token = await first_token(call)

    await world.worker.say(other)
    await world.worker.say(mine)
    late = await label(world, "orders")
    found = [await next_news(call) for _ in range(2)]
    call.cancel()
    again = watch(world, filter='labels.team = "orders"', resume_token=token)
    repeated = [await next_news(again) for _ in range(2)]
    again.cancel()

    assert [(one.job, one.revision) for one in found] == [(f"jobs/{mine}", 2), (f"jobs/{late}", 1)]
    assert repeated == found


async def test_a_filter_by_state_shows_a_job_coming_and_going(world: World) -> None:
    call = watch(world, filter="state = RUNNING")
    token = await first_token(call)
    job_id = await world.submit()
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    await world.worker.move(job_id, pb.JOB_STATE_PAUSED)
    await world.worker.say(job_id)
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)

    live = [await next_news(call) for _ in range(3)]
    call.cancel()
    again = watch(world, filter="state = RUNNING", resume_token=token)
    later = [await next_news(again) for _ in range(3)]
    again.cancel()
    assert [one.revision for one in live] == [one.revision for one in later] == [2, 3, 5]

    resumed = watch(world, filter="state = RUNNING", resume_token=live[0].resume_token)
    assert shape([await next_news(resumed)]) == [("event", 3)]
    resumed.cancel()


async def test_signs_of_life_carry_the_token_though_nothing_passes(world: World) -> None:
    request = pb.WatchJobsRequest(filter='labels.team = "nobody"')
    request.progress_interval.seconds = 1
    call: Call = world.jobs.WatchJobs(request)
    before = await first_token(call)
    await world.submit()

    after = await first_token(call)
    call.cancel()

    assert before != after


@pytest.mark.parametrize("token", ["%%%", "abc", "A" * 200, write_token(START)[:-2]])
async def test_a_garbled_token_is_refused(world: World, token: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(watch(world, resume_token=token))

    assert fields_of(status_of(caught.value)) == {"resume_token"}


async def test_a_filter_that_cannot_be_read_is_refused(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(watch(world, filter="state ="))

    assert fields_of(status_of(caught.value)) == {"filter"}


async def test_a_token_from_before_the_feed_begins_has_expired(world: World) -> None:
    job_id = await world.submit()
    call = watch(world)
    token = await first_token(call)
    call.cancel()
    for _ in range(5):
        await world.worker.say(job_id)
    await world.redis.xtrim(keys.FEED, maxlen=2, approximate=False)

    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(watch(world, resume_token=token))

    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert reason_of(caught.value) == "RESUME_TOKEN_EXPIRED"


async def test_the_beginning_of_a_feed_that_was_trimmed_has_expired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "FEED_LENGTH", 1)
    await world.submit()

    with pytest.raises(grpc.RpcError) as caught:
        await gather_until_end(watch(world, resume_token=write_token(START)))

    assert reason_of(caught.value) == "RESUME_TOKEN_EXPIRED"


async def test_a_feed_that_was_lost_is_told_at_the_start(world: World) -> None:
    await world.submit()
    call = watch(world)
    token = await first_token(call)
    call.cancel()
    await world.redis.delete(keys.FEED)

    (end,) = await gather_until_end(watch(world, resume_token=token))

    assert end.end.reason == pb.STREAM_END_REASON_HISTORY_LOST
    assert not end.resume_token


async def test_an_entry_that_is_another_one_now_is_told(world: World) -> None:
    job_id = await world.submit()
    ((id_, _),) = await world.redis.xrevrange(keys.FEED, count=1)
    await world.redis.delete(keys.FEED)
    await world.redis.xadd(keys.FEED, {"i": job_id, "r": "1", "e": b"other"}, id=id_)
    ms, _, number = id_.decode().partition("-")

    forged = write_token(FeedPosition((int(ms), int(number)), "12" * 8))
    (end,) = await gather_until_end(watch(world, resume_token=forged))

    assert end.end.reason == pb.STREAM_END_REASON_HISTORY_LOST


async def test_a_feed_that_is_lost_under_a_watcher_is_told(world: World) -> None:
    await world.submit()
    call = watch(world)
    await first_token(call)
    await world.redis.delete(keys.FEED)

    (end,) = [message for message in await gather_until_end(call) if not message.HasField("progress")]

    assert end.end.reason == pb.STREAM_END_REASON_HISTORY_LOST


async def test_a_draining_server_says_where_to_continue(redis_url: str) -> None:
    async with AsyncExitStack() as connections, serving(redis_url) as other:
        async with app.running(quick_settings(redis_url)) as server:
            connection = connected(f"127.0.0.1:{server.grpc_port}", "", redis_url)
            world = await connections.enter_async_context(connection)
            job_id = await world.submit()
            call = watch(world)
            await first_token(call)
            await world.worker.say(job_id)
            assert (await next_news(call)).revision == 2
        (end,) = [message for message in await gather_until_end(call) if not message.HasField("progress")]
        assert end.end.reason == pb.STREAM_END_REASON_SERVER_DRAINING

        again = watch(other, resume_token=end.resume_token)
        await other.worker.say(job_id)
        assert (await next_news(again)).revision == 3
        again.cancel()


async def test_an_old_stream_ends_with_a_token(redis_url: str) -> None:
    async with serving(redis_url, max_stream_age=1.0) as world:
        messages = await gather_until_end(watch(world))

    assert messages[-1].end.reason == pb.STREAM_END_REASON_MAX_STREAM_AGE
    assert read_token(messages[-1].resume_token) == START


async def build(world: World, rng: random.Random) -> None:
    job_id = await world.submit()
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    for _ in range(rng.randint(0, 8)):
        await world.worker.say(job_id)
        await asyncio.sleep(rng.random() * 0.02)
    await world.worker.finish(job_id)


async def follow_with_breaks(
    world: World, rng: random.Random, seen: "dict[str, list[pb.WatchJobResponse]]", done: asyncio.Event
) -> None:
    """Follows all jobs; hangs up after a few messages, again and again, until nothing more can come."""
    token, quiet = write_token(START), 0
    while quiet < 2:
        settled = done.is_set()
        request = pb.WatchJobsRequest(resume_token=token)
        request.progress_interval.seconds = 1
        call: Call = world.jobs.WatchJobs(request)
        for _ in range(rng.randint(1, 12)):
            message = await call.read()
            assert isinstance(message, pb.WatchJobResponse)
            token = message.resume_token
            if message.HasField("event"):
                seen[message.job].append(message)
            elif settled:
                quiet += 1
                break
        call.cancel()


async def test_a_watcher_that_hangs_up_at_random_and_continues_misses_and_repeats_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_jobs_stream, "PAGE", 7)
    monkeypatch.setattr(feed_subscription, "MAX_ENTRIES", 5)
    rng, seen, done = random.Random(7), defaultdict[str, list[pb.WatchJobResponse]](list), asyncio.Event()
    follower = asyncio.create_task(follow_with_breaks(world, rng, seen, done))

    await asyncio.gather(*(build(world, rng) for _ in range(50)))
    done.set()
    async with asyncio.timeout(40):
        await follower

    assert len(seen) == 50
    for name, messages in seen.items():
        written: list[bytes] = await world.redis.lrange(keys.log(keys.job_id(name)), 0, -1)  # type: ignore[misc]
        assert [message.revision for message in messages] == list(range(1, len(written) + 1))
        assert [message.incarnation for message in messages] == [event_log.incarnation(raw) for raw in written]


async def test_snapshots_taken_while_jobs_move_are_continued_without_a_gap_or_a_repeat(world: World) -> None:
    rng = random.Random(11)
    building = asyncio.gather(*(build(world, rng) for _ in range(30)))
    calls = [watch(world) for _ in range(5)]
    followers = [asyncio.create_task(until_all_ended(call)) for call in calls]
    await building
    every_job = {f"jobs/{id_.decode()}" for id_ in await world.redis.zrange(keys.JOBS, 0, -1)}
    for found in await asyncio.gather(*followers):
        for revisions in found.values():
            assert revisions == list(range(revisions[0], revisions[-1] + 1))
        assert set(found) <= every_job


async def until_all_ended(call: "Call") -> dict[str, list[int]]:
    """The revisions of each job, until a second of silence."""
    found: dict[str, list[int]] = defaultdict(list)
    try:
        async with asyncio.timeout(3) as patience:
            while True:
                message = await call.read()
                assert isinstance(message, pb.WatchJobResponse)
                if message.job:
                    found[message.job].append(message.revision)
                    patience.reschedule(asyncio.get_running_loop().time() + 1)
    except TimeoutError:
        call.cancel()
    return found


def entries(count: int, size: int = 10) -> Iterable[FeedEntry]:
    return (FeedEntry((1, number), "job", number, b"x" * size) for number in range(1, count + 1))


def test_a_subscription_that_overflows_asks_for_a_look_into_the_feed() -> None:
    by_count, by_bytes = FeedSubscription(), FeedSubscription()
    for each, items in (
        (by_count, entries(feed_subscription.MAX_ENTRIES + 1)),
        (by_bytes, entries(3, feed_subscription.MAX_BYTES // 2)),
    ):
        each.begin_look()
        for entry in items:
            each.put(entry)
        assert each.dirty
        assert not each.take(10)


def test_a_token_says_a_position_and_nothing_else_is_a_token() -> None:
    (entry,) = entries(1)
    position = position_of(entry)

    assert read_token(write_token(position)) == position
    assert position.follows(entry)
    with pytest.raises(Refused):
        read_token("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
