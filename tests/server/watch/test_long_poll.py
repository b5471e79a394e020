"""Pages of a log, and the long poll for the next event."""

import asyncio
from typing import Any

from aiohttp import ClientSession
from google.protobuf.duration_pb2 import Duration

from headgate import pb
from headgate.store import keys
from tests.server.world import World, refusal, until


async def events(world: World, job_id: str, **given: Any) -> pb.ListJobEventsResponse:
    reply: pb.ListJobEventsResponse
    reply = await world.jobs.ListJobEvents(pb.ListJobEventsRequest(name=keys.job_name(job_id), **given))
    return reply


async def test_a_log_is_read_in_pages(world: World) -> None:
    job_id = await world.submit()
    await world.worker.say(job_id)
    await world.worker.finish(job_id)

    first = await events(world, job_id, page_size=3)
    second = await events(world, job_id, start_revision=first.next_revision)

    assert [event.revision for event in (*first.job_events, *second.job_events)] == [1, 2, 3, 4]
    assert (first.next_revision, first.end, second.next_revision, second.end) == (4, False, 5, True)
    assert await events(world, job_id, start_revision=5, wait=Duration(seconds=30)) == pb.ListJobEventsResponse(
        next_revision=5, end=True
    )


async def test_a_long_poll_answers_when_something_happens(world: World) -> None:
    job_id = await world.submit()
    waiting = asyncio.create_task(events(world, job_id, start_revision=2, wait=Duration(seconds=30)))
    await until(lambda: watches(world))

    await world.worker.say(job_id)

    assert [event.revision for event in (await waiting).job_events] == [2]


async def watches(world: World) -> bool:
    async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
        return "headgate_open_watches 1.0" in await response.text()


async def test_a_long_poll_without_events_ends_empty(world: World) -> None:
    job_id = await world.submit()

    reply = await events(world, job_id, start_revision=2, wait=Duration(nanos=50_000_000))

    assert (list(reply.job_events), reply.next_revision, reply.end) == ([], 2, False)
    assert (await events(world, job_id, start_revision=2)).next_revision == 2


async def test_a_page_of_events_fits_into_what_clients_take(world: World) -> None:
    job_id = await world.submit()
    for _ in range(30):
        await world.worker.say(job_id, "x" * 200_000)

    first = await events(world, job_id, page_size=1_000)

    assert first.ByteSize() < 4 * 1024 * 1024
    assert first.next_revision == len(first.job_events) + 1 < 32


async def test_a_future_revision_is_out_of_range(world: World) -> None:
    job_id = await world.submit()

    assert await refusal(events(world, job_id, start_revision=3)) == "REVISION_FUTURE"
