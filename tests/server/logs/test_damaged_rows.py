"""One row that can't be read harms nobody: many are told without it, it alone is lost, and it can be deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from aiohttp import ClientSession
from google.longrunning import operations_grpc_pb2
from google.longrunning import operations_proto_pb2 as lro

from headgate import pb
from headgate.store import keys
from headgate_server.auth.permissions import RULES, Scope
from headgate_server.logs.damaged_rows import TELL_SECONDS, Damage
from tests.server.callers import METHODS, known, outcome, request_of, write
from tests.server.world import World, backfill, gather_until_end, metadata_of, reason_of, serving, shape

Harm = Callable[[World, str], Awaitable[Any]]


def store(world: World) -> Any:
    """The Redis of a world; its stubs mix the answers of the blocking and the async client."""
    return world.redis


RUBBISH: Final = b"\xff\xff this is no message \xff"


async def spoil_snapshot(world: World, job_id: str) -> None:
    await store(world).hset(keys.job(job_id), "snap", RUBBISH)


async def spoil_first_event(world: World, job_id: str) -> None:
    await store(world).hdel(keys.job(job_id), "snap")
    await store(world).lset(keys.log(job_id), 0, RUBBISH)


async def cut_first_event(world: World, job_id: str) -> None:
    await store(world).hdel(keys.job(job_id), "snap")
    event = await store(world).lindex(keys.log(job_id), 0)
    await store(world).lset(keys.log(job_id), 0, event[: len(event) // 2])


async def take_another_jobs_snapshot(world: World, job_id: str) -> None:
    await store(world).hset(keys.job(job_id), "snap", pb.Job(name="jobs/somebody").SerializeToString())


async def lose_the_log(world: World, job_id: str) -> None:
    await store(world).hdel(keys.job(job_id), "snap")
    await store(world).delete(keys.log(job_id))


async def lose_the_revision(world: World, job_id: str) -> None:
    await store(world).hdel(keys.job(job_id), "rev")


async def spoil_the_revision(world: World, job_id: str) -> None:
    await store(world).hset(keys.job(job_id), "rev", "many")


async def spoil_a_counter(world: World, job_id: str) -> None:
    await store(world).hset(keys.job(job_id), "reads", "many")


async def be_a_string(world: World, job_id: str) -> None:
    await store(world).set(keys.job(job_id), "no job")


async def have_a_log_of_another_type(world: World, job_id: str) -> None:
    await store(world).hdel(keys.job(job_id), "snap")
    await store(world).set(keys.log(job_id), "no log")


async def be_given_up(world: World, job_id: str) -> None:
    await store(world).hset(keys.job(job_id), "bad", "1")


HARMS: Final[dict[str, Harm]] = {
    harm.__name__: harm
    for harm in (
        spoil_snapshot,
        spoil_first_event,
        cut_first_event,
        take_another_jobs_snapshot,
        lose_the_log,
        lose_the_revision,
        spoil_the_revision,
        spoil_a_counter,
        be_a_string,
        have_a_log_of_another_type,
        be_given_up,
    )
}


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with serving(redis_url, callers=write(tmp_path / "callers.toml")) as world:
        yield world


@pytest.fixture(params=HARMS)
def harm(request: pytest.FixtureRequest) -> Harm:
    return HARMS[request.param]


async def three(world: World, harm: Harm) -> tuple[str, str, str]:
    """A damaged job between sound ones, in order of acceptance."""
    for job_id in ("first", "broken", "last"):
        await world.submit(job_id=job_id)
    await harm(world, "broken")
    return "first", "broken", "last"


def operations(world: World) -> Any:
    return operations_grpc_pb2.OperationsStub(world.channel)


async def lost(call: Awaitable[object]) -> dict[str, str]:
    """The call fails with JOB_DAMAGED; its metadata."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.DATA_LOSS
    assert reason_of(caught.value) == "JOB_DAMAGED"
    return metadata_of(caught.value)


async def test_lists_and_counts_pass_it_by(world: World, harm: Harm) -> None:
    await three(world, harm)

    for request in (
        pb.ListJobsRequest(),
        pb.ListJobsRequest(view=pb.JOB_VIEW_FULL),
        pb.ListJobsRequest(filter="state = QUEUED"),
    ):
        page = await world.jobs.ListJobs(request)
        assert [job.name for job in page.jobs] == ["jobs/last", "jobs/first"]
    listed = await operations(world).ListOperations(lro.ListOperationsRequest())
    assert [one.name for one in listed.operations] == ["operations/last", "operations/first"]
    assert (await world.jobs.CountJobs(pb.CountJobsRequest())).counts


async def test_a_count_of_some_connections_passes_it_by(gated: World, harm: Harm) -> None:
    for job_id in ("first", "broken", "last"):
        await gated.backfills.CreateBackfill(backfill(job_id=job_id, connection="a"), metadata=known("full"))
    await harm(gated, "broken")

    counts = (await gated.jobs.CountJobs(pb.CountJobsRequest(), metadata=known("ours"))).counts

    assert [(row.state, row.count) for row in counts] == [(pb.JOB_STATE_QUEUED, 2)]


async def test_a_watch_of_all_jobs_passes_it_by(world: World, harm: Harm) -> None:
    await three(world, harm)
    for wanted in ("", 'NOT labels.n = "1"'):
        call: Any = world.jobs.WatchJobs(pb.WatchJobsRequest(filter=wanted))
        shown = {(await call.read()).job for _ in range(2)}
        await world.worker.say("last")
        while (message := await call.read()).WhichOneof("payload") != "event":
            assert message.job != "jobs/broken"
        call.cancel()

        assert shown == {"jobs/first", "jobs/last"}
        assert message.job == "jobs/last"


LOG_IS_SOUND: Final = (
    spoil_snapshot,
    take_another_jobs_snapshot,
    spoil_a_counter,
    be_given_up,
)
"""Harms after which the log can be read all the same."""

OF_ONE_JOB: Final = sorted(name for name, rule in RULES.items() if rule.scope in (Scope.JOB, Scope.OPERATION))


async def test_every_call_about_it_tells_that_it_is_lost(world: World, harm: Harm) -> None:
    await three(world, harm)
    for name in OF_ONE_JOB:
        if "Delete" in name:
            continue
        request = request_of(METHODS[name], connection="", job_id="broken")
        if name.endswith("ResolveJob"):
            request.resolution = pb.RESOLUTION_ABANDON
        readable = name.endswith("ListJobEvents") and harm in LOG_IS_SOUND
        assert await outcome(world.channel, METHODS[name], request, ()) == ("OK" if readable else "JOB_DAMAGED"), name


async def test_a_watcher_who_has_seen_all_of_it_is_told(world: World) -> None:
    await three(world, be_given_up)

    messages: Any = world.watch("broken", start_revision=1)
    assert (await messages.read()).event.revision == 1
    assert await lost(messages.read()) == {"job": "jobs/broken"}
    assert await lost(world.jobs.ListJobEvents(pb.ListJobEventsRequest(name="jobs/broken", start_revision=2)))


async def test_its_id_is_taken(world: World, harm: Harm) -> None:
    await three(world, harm)

    for only in (False, True):
        with pytest.raises(grpc.RpcError) as caught:
            await world.submit(job_id="broken", validate_only=only)
        assert reason_of(caught.value) in ("JOB_EXISTS", "JOB_DAMAGED")


async def test_an_operator_deletes_it_and_nothing_of_it_is_left(world: World, harm: Harm) -> None:
    await three(world, harm)
    await store(world).zadd(keys.DAMAGED, {"broken": 1})

    await world.jobs.DeleteJob(pb.DeleteJobRequest(name="jobs/broken"))

    left = [name async for name in store(world).scan_iter("hg:*broken*")]
    assert not left
    for index in (keys.JOBS, keys.DUE, keys.EXPIRING, keys.DAMAGED, *map(keys.state, pb.JobState.values())):
        assert await store(world).zscore(index, "broken") is None, index
    assert await store(world).zcard(keys.TICKS) == 2 or harm is be_a_string
    assert await world.submit(job_id="broken") == "broken"


async def test_an_operation_that_is_lost_is_deleted_too(world: World) -> None:
    await three(world, spoil_snapshot)

    await operations(world).DeleteOperation(lro.DeleteOperationRequest(name="operations/broken"))

    assert not await store(world).exists(keys.job("broken"))


async def test_its_watchers_are_told_of_the_deletion(world: World) -> None:
    await world.submit(job_id="broken")
    call: Any = world.watch("broken")
    await call.read()
    await spoil_snapshot(world, "broken")

    await world.jobs.DeleteJob(pb.DeleteJobRequest(name="jobs/broken"))

    ends = [message.end.reason for message in await gather_until_end(call) if message.HasField("end")]
    assert ends == [pb.STREAM_END_REASON_JOB_DELETED]


async def test_a_deletion_gives_its_dates_back(world: World) -> None:
    request = backfill(job_id="broken")
    request.spec.overlap = pb.OVERLAP_REJECT
    await world.backfills.CreateBackfill(request)
    waiting = backfill(job_id="broken-line")
    waiting.spec.overlap = pb.OVERLAP_QUEUE_AFTER
    await world.backfills.CreateBackfill(waiting)
    for job_id in ("broken", "broken-line"):
        await spoil_first_event(world, job_id)
        await world.jobs.DeleteJob(pb.DeleteJobRequest(name=keys.job_name(job_id)))

    assert not [name async for name in store(world).scan_iter(f"{keys.DATES}*")]
    assert (await world.backfills.CreateBackfill(request)).name == "jobs/broken"


async def test_only_who_may_write_everywhere_deletes_what_can_not_be_told(gated: World) -> None:
    await gated.backfills.CreateBackfill(backfill(job_id="broken", connection="a"), metadata=known("full"))
    await spoil_first_event(gated, "broken")
    request = pb.DeleteJobRequest(name="jobs/broken")

    for name, reason in (("ours", ("JOB_DENIED", "JOB_DAMAGED")), ("reader", ("RIGHT_MISSING",))):
        with pytest.raises(grpc.RpcError) as caught:
            await gated.jobs.DeleteJob(request, metadata=known(name))
        assert reason_of(caught.value) in reason
    await gated.jobs.DeleteJob(request, metadata=known("full"))
    assert not await gated.redis.exists(keys.job("broken"))


async def test_a_deletion_that_names_an_etag_is_not_done_blindly(world: World) -> None:
    await three(world, spoil_snapshot)

    await lost(world.jobs.DeleteJob(pb.DeleteJobRequest(name="jobs/broken", etag="0011223344556677")))

    assert await store(world).exists(keys.job("broken"))


async def told(world: World, job_id: str = "told") -> str:
    """A job of four events, the third of which can't be read."""
    await world.submit(job_id=job_id)
    for _ in range(3):
        await world.worker.say(job_id)
    await store(world).lset(keys.log(job_id), 2, RUBBISH)
    return job_id


async def test_a_log_is_told_up_to_what_is_lost_and_from_there_on(world: World) -> None:
    name = keys.job_name(await told(world))

    async def events(start: int) -> pb.ListJobEventsResponse:
        return await world.jobs.ListJobEvents(pb.ListJobEventsRequest(name=name, start_revision=start))

    page = await events(1)
    assert ([event.revision for event in page.job_events], page.next_revision) == ([1, 2], 3)
    assert await lost(events(3)) == {"job": name, "revision": "3"}
    assert [event.revision for event in (await events(4)).job_events] == [4]


@pytest.mark.parametrize("types", [[], [pb.EVENT_TYPE_WARNING]])
async def test_a_watch_is_told_up_to_what_is_lost_and_from_there_on(world: World, types: list[Any]) -> None:
    job_id = await told(world)

    early: Any = world.watch(job_id, start_revision=1, types=types)
    seen = [(await early.read()).revision for _ in range(2 - len(types))]
    assert seen[-1] == 2
    assert (await lost(early.read()))["revision"] == "3"
    late: Any = world.watch(job_id, start_revision=4)
    assert (await late.read()).revision == 4
    whole: Any = world.watch(job_id)
    assert shape([await whole.read()]) == [("snapshot", 4)]
    latest: Any = world.watch(job_id, start_revision=1, mode=pb.WATCH_MODE_LATEST_ONLY, types=types)
    assert shape([await latest.read()]) == [("snapshot", 4)]


async def test_a_job_with_an_event_that_is_lost_goes_on(world: World) -> None:
    job_id = await told(world)
    name = keys.job_name(job_id)

    assert (await world.jobs.GetJob(pb.GetJobRequest(name=name))).revision == 4
    await world.jobs.CancelJob(pb.CancelJobRequest(name=name))
    late: Any = world.watch(job_id, start_revision=5)
    assert (await late.read()).event.type == pb.EVENT_TYPE_CANCEL_REQUESTED


ENTRIES: Final[dict[str, dict[Any, Any]]] = {
    "an event that is none": {"i": "sound", "r": "2", "e": RUBBISH},
    "another revision": {"i": "sound", "r": "7", "e": pb.JobEvent(revision=2).SerializeToString()},
    "no fields": {"foo": "bar"},
    "no number": {"i": "sound", "r": "many", "e": b""},
    "no text": {"i": b"\xff", "r": "1", "e": b""},
}


@pytest.mark.parametrize("entry", ENTRIES)
async def test_an_entry_of_the_feed_that_can_not_be_read_is_passed_by(world: World, entry: str) -> None:
    await world.submit(job_id="sound")
    one: Any = world.watch("sound", start_revision=1)
    every: Any = world.jobs.WatchJobs(pb.WatchJobsRequest())
    some: Any = world.jobs.WatchJobs(pb.WatchJobsRequest(filter="state = QUEUED"))
    for call in (one, every, some):
        await call.read()

    await store(world).xadd(keys.FEED, ENTRIES[entry])
    await world.worker.say("sound")

    async with asyncio.timeout(10):
        for call in (one, every, some):
            while not (message := await call.read()).HasField("event"):
                token = message.resume_token
            assert (message.job, message.revision) == ("jobs/sound", 2)
    again: Any = world.jobs.WatchJobs(pb.WatchJobsRequest(resume_token=message.resume_token or token))
    assert not (await again.read()).HasField("end")


async def test_members_of_an_index_that_are_no_ids_are_passed_by(world: World) -> None:
    await world.submit(job_id="sound")
    for index in (keys.JOBS, keys.state(pb.JOB_STATE_QUEUED)):
        await store(world).zadd(index, {b"\xff\xfe": "inf", "no such job": 5, b"a\nb": 1.5})

    assert [job.name for job in (await world.jobs.ListJobs(pb.ListJobsRequest())).jobs] == ["jobs/sound"]
    call: Any = world.jobs.WatchJobs(pb.WatchJobsRequest())
    assert (await call.read()).job == "jobs/sound"


async def test_jobs_that_were_given_up_are_not_counted(world: World) -> None:
    await three(world, be_given_up)
    await store(world).zadd(keys.DAMAGED, {"broken": 1})

    counts = (await world.jobs.CountJobs(pb.CountJobsRequest())).counts

    assert [(row.state, row.count) for row in counts] == [(pb.JOB_STATE_QUEUED, 2)]


async def test_damage_is_counted_for_the_operator(world: World) -> None:
    await three(world, spoil_snapshot)
    await world.jobs.ListJobs(pb.ListJobsRequest())

    async with ClientSession() as session, session.get(f"{world.ops}/metrics") as answer:
        assert "headgate_damaged_rows 1.0" in await answer.text()


def test_damage_is_told_once_in_a_while_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    seconds = [0.0]
    damage = Damage(lambda: seconds[0])
    for _ in range(100):
        damage.note("jobs/broken")
    seconds[0] = TELL_SECONDS + 1
    damage.note("jobs/other")

    assert damage.count == 101
    assert [record.getMessage().partition("met ")[2] for record in caplog.records] == [
        "1 times; the last: jobs/broken",
        "100 times; the last: jobs/other",
    ]
