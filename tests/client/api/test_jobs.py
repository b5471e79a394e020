"""What steers jobs, and what follows many of them, against a real server."""

import asyncio
from collections.abc import Awaitable

import pytest

from headgate import pb
from headgate.backfill.dates import to_message
from headgate.store import keys
from headgate_client import Client, EventItem, HeadgateError, JobFailed, JobNeedsAttention
from tests.server.jobs.test_resolve import in_doubt
from tests.server.jobs.test_retry import ended, states
from tests.server.world import DAY, World, backfill


async def refused(call: Awaitable[object]) -> HeadgateError:
    with pytest.raises(HeadgateError) as caught:
        await call
    return caught.value


async def test_a_job_is_paused_and_resumed_and_both_may_be_repeated(world: World, client: Client) -> None:
    handle = client.jobs.handle(await world.submit())

    paused = [await handle.pause(reason="the cluster is needed"), await handle.pause()]
    resumed = await handle.resume()

    assert [job.state for job in paused] == [pb.JOB_STATE_PAUSED] * 2
    assert paused[0].revision == paused[1].revision == resumed.revision - 1
    assert resumed.state == pb.JOB_STATE_RUNNING
    error = await refused(handle.resume())
    assert (error.reason, error.metadata["state"]) == ("STATE_CONFLICT", "RUNNING")
    messages = [event.message async for event in handle.events()]
    assert messages[1:] == ["pause asked for: the cluster is needed", "resume asked for"]


async def test_an_etag_guards_against_what_was_not_seen(world: World, client: Client) -> None:
    handle = client.jobs.handle(await world.submit())
    seen = (await handle.refresh()).etag
    await world.worker.say(handle.id)

    error = await refused(handle.pause(etag=seen))

    assert error.reason == "ETAG_MISMATCH" and error.is_conflict
    await handle.pause(etag=error.metadata["current_etag"])


async def test_only_what_failed_runs_again(world: World, client: Client) -> None:
    job = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)
    handle = client.jobs.handle(job)
    with pytest.raises(JobFailed):
        await handle.result(5)

    again = await handle.retry(request_id="once")
    repeated = await handle.retry(request_id="once")

    assert states(again) == ["SUCCEEDED", "PLANNED"]
    assert again.state == pb.JOB_STATE_RUNNING and repeated.revision == again.revision
    error = await refused(handle.retry(biz_dates=[to_message(DAY)], request_id="once"))
    assert error.reason == "REQUEST_ID_REUSED"
    assert (await refused(handle.retry())).reason == "STATE_CONFLICT"


async def test_a_person_decides_what_nobody_can_know(world: World, client: Client) -> None:
    handle = client.jobs.handle(await in_doubt(world))
    with pytest.raises(JobNeedsAttention) as caught:
        await handle.result(5)
    operation = next(row for row in caught.value.job.operations if row.outcome == pb.OPERATION_OUTCOME_AMBIGUOUS)
    assert (await handle.explain())[0].kind == pb.CAUSE_KIND_NEEDS_ATTENTION

    error = await refused(handle.resolve(pb.RESOLUTION_EXECUTED, operation_index=9, workflow_instance_ids=[11, 12]))
    assert [row.subject for row in error.field_violations] == ["operation_index"]
    job = await handle.resolve(
        pb.RESOLUTION_EXECUTED, operation_index=operation.index, workflow_instance_ids=[11, 12], reason="seen there"
    )

    assert job.state == pb.JOB_STATE_RUNNING
    assert list(job.operations[0].workflow_instance_ids) == [11, 12]


async def test_a_job_tells_why_it_is_not_further(world: World, client: Client) -> None:
    handle = client.jobs.handle(await world.submit())

    assert [cause.kind for cause in await handle.explain()] == [pb.CAUSE_KIND_WORKER_ABSENT, pb.CAUSE_KIND_QUEUE]
    await world.worker.finish(handle.id)
    assert not await handle.explain()


async def test_a_log_is_followed_by_long_polls_to_its_end(world: World, client: Client) -> None:
    handle = client.jobs.handle(await world.submit())

    async def revisions() -> list[int]:
        return [event.revision async for event in handle.events(wait=20)]

    reading = asyncio.ensure_future(revisions())
    for _ in range(30):
        await world.worker.say(handle.id)
    assert not reading.done()
    await world.worker.finish(handle.id)

    async with asyncio.timeout(10):
        assert await reading == list(range(1, 34))
    assert [event.revision async for event in handle.events(32)] == [32, 33]


async def test_only_an_ended_job_can_be_deleted_and_its_watchers_hear_of_it(world: World, client: Client) -> None:
    handle = client.jobs.handle(await world.submit())
    error = await refused(handle.delete())
    assert (error.reason, error.metadata["state"]) == ("STATE_CONFLICT", "QUEUED")
    await world.worker.finish(handle.id)

    await handle.delete()

    for call in (handle.refresh(), handle.delete(), handle.explain(), handle.pause()):
        assert (await refused(call)).reason == "JOB_UNKNOWN"


async def test_every_job_is_watched_on_one_stream_and_continued_by_its_token(world: World, client: Client) -> None:
    first = await world.submit(options=pb.JobOptions(labels={"team": "orders"}))
    await world.submit(options=pb.JobOptions(labels={"team": "other"}))
    wanted, token, seen = 'labels.team = "orders"', "", list[tuple[str, int]]()
    async with client.jobs.watch_all(wanted) as messages:
        async for message in messages:
            token = message.resume_token or token
            if message.HasField("snapshot"):
                seen.append((message.job, message.revision))
                await world.worker.say(first)
            if message.HasField("event"):
                break
    assert seen == [(keys.job_name(first), 1)]

    await world.worker.say(first)  # while nobody watches
    second = await world.submit(options=pb.JobOptions(labels={"team": "orders"}))
    found = []
    async with Client(world.address) as other, other.jobs.watch_all(wanted, resume_token=token) as messages:
        async for message in messages:
            if message.HasField("event"):
                found.append((keys.job_id(message.job), message.revision))
            if (second, 1) in found:
                break

    assert found == [(first, 3), (second, 1)]


async def test_a_job_is_run_and_watched_in_one_stream(world: World, client: Client) -> None:
    revisions, job_id = [], ""
    async with client.jobs.run(backfill(), request_id="one", job_id="orders") as watch:
        async for item in watch:
            if item.revision == 1 and not job_id and watch.job is not None:
                job_id = keys.job_id(watch.job.name)
                await world.worker.finish(job_id)
            if isinstance(item, EventItem):
                revisions.append(item.revision)
    assert job_id == "orders"
    assert revisions == [2, 3]
