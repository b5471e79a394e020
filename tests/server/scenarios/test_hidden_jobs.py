"""Jobs that a caller may not see cost him little: of each no more than its connection is read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.longrunning import operations_proto_pb2 as operations

from headgate import pb
from headgate.store import keys
from tests.server.callers import entry, known, write
from tests.server.requests.test_bounds import adhoc
from tests.server.world import World, backfill, serving

LARGE = 100_000
HIDDEN = 30
ENOUGH = HIDDEN * LARGE // 10
"""Bytes that an answer may make Redis send: far less than the hidden jobs have."""


@pytest.fixture
async def gated(redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    text = entry("full", calls_per_second=0.0) + entry("ours", connections=["a", ""])
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", text)) as world:
        yield world


async def sent(world: World) -> int:
    """Bytes that Redis has sent so far, to everybody."""
    stats = await world.redis.info("stats")
    return int(stats["total_net_output_bytes"])


async def stored(world: World) -> str:
    """Many large jobs on a connection that `ours` may not use, and among them one that it may see."""
    name = ""
    for number in range(HIDDEN):
        request = adhoc(LARGE)
        request.connection = "elsewhere"
        await world.instances.ExecuteAdhocWorkflowInstance(request, metadata=known("full"))
        if number == HIDDEN // 2:
            name = (await world.backfills.CreateBackfill(backfill(), metadata=known("full"))).name
    return name


async def test_lists_and_counts_do_not_read_hidden_jobs(gated: World) -> None:
    name = await stored(gated)
    before = await sent(gated)

    page = await gated.jobs.ListJobs(pb.ListJobsRequest(), metadata=known("ours"))
    counts = await gated.jobs.CountJobs(pb.CountJobsRequest(), metadata=known("ours"))
    listing = gated.channel.unary_unary(
        "/google.longrunning.Operations/ListOperations",
        request_serializer=operations.ListOperationsRequest.SerializeToString,
        response_deserializer=operations.ListOperationsResponse.FromString,
    )
    shown = await listing(operations.ListOperationsRequest(name="operations"), metadata=known("ours"))

    assert [job.name for job in page.jobs] == [name] and not page.next_page_token
    assert [(row.state, row.count) for row in counts.counts] == [(pb.JOB_STATE_QUEUED, 1)]
    assert len(shown.operations) == 1
    assert await sent(gated) - before < ENOUGH


async def test_a_job_of_a_version_before_is_judged_by_itself(gated: World) -> None:
    name = await stored(gated)
    for job_id in await gated.redis.zrange(keys.JOBS, 0, -1):
        await gated.redis.hdel(keys.job(job_id.decode()), "conn")  # type: ignore[misc]

    page = await gated.jobs.ListJobs(pb.ListJobsRequest(), metadata=known("ours"))
    counts = await gated.jobs.CountJobs(pb.CountJobsRequest(), metadata=known("ours"))

    assert [job.name for job in page.jobs] == [name]
    assert [row.count for row in counts.counts] == [1]


async def test_a_walk_over_hidden_jobs_only_goes_on_to_its_end(gated: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate_server.jobs.job_groups.MOST", 7)
    name = await stored(gated)

    oldest = await gated.jobs.ListJobs(pb.ListJobsRequest(order_by="create_time"), metadata=known("ours"))
    everything = await gated.jobs.ListJobs(pb.ListJobsRequest(), metadata=known("full"))

    assert [job.name for job in oldest.jobs] == [name]
    assert len(everything.jobs) == HIDDEN + 1
