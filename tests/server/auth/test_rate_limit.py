"""What counts as more than one call: large answers, lists of what is large, and watches of many, on a real server."""

from pathlib import Path

from google.rpc import error_details_pb2

from headgate import pb
from tests.server.auth.test_permissions import refused
from tests.server.callers import entry, known, write
from tests.server.requests.test_bounds import adhoc
from tests.server.world import World, detail, metadata_of, serving, status_of

SIZE = 200 * 1024
"""Bytes of a large job."""


async def owed_seconds(world: World, who: str) -> float:
    """In how many seconds a caller may call again."""
    error = await refused(world.jobs.CountJobs(pb.CountJobsRequest(), metadata=known(who)))
    assert metadata_of(error)["quota"] == "calls_per_second"
    return float(detail(status_of(error), error_details_pb2.RetryInfo).retry_delay.ToMilliseconds()) / 1_000


async def test_large_answers_and_reads_count_as_several_calls(redis_url: str, tmp_path: Path) -> None:
    rights = ["read", "payloads"]
    names = ("one", "whole", "short", "small")
    text = entry("full") + "".join(entry(name, rights=rights, calls_per_second=0.1) for name in names)
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", text)) as world:
        jobs = [
            await world.instances.ExecuteAdhocWorkflowInstance(adhoc(SIZE), metadata=known("full")) for _ in range(4)
        ]
        await world.jobs.GetJob(pb.GetJobRequest(name=jobs[0].name), metadata=known("one"))
        for name, view in (("whole", pb.JOB_VIEW_FULL), ("short", pb.JOB_VIEW_BASIC)):
            listed = await world.jobs.ListJobs(pb.ListJobsRequest(view=view), metadata=known(name))
            assert len(listed.jobs) == 4
        await world.jobs.CountJobs(pb.CountJobsRequest(), metadata=known("small"))
        waits = [await owed_seconds(world, name) for name in names]

    # A call is 10 s at this rate, and 64 KiB are a call: 3 for an answer of one job, 12.5 for four that are read, and
    # as many again where they are answered, too.
    calls = [wait / 10 - 1 for wait in waits]
    assert 2 <= calls[0] <= 4
    assert 23 <= calls[1] <= 27
    assert 11 <= calls[2] <= 14
    assert calls[3] <= 0


async def test_a_watch_counts_by_its_instances_also_where_it_is_refused(redis_url: str, tmp_path: Path) -> None:
    few = entry("few", rights=["read"], calls_per_second=0.1, max_watched_instances=10)
    one = entry("one", rights=["read"], calls_per_second=0.1)
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", few + one)) as world:
        many = pb.WatchWorkflowInstancesRequest(ids=range(1, 81))
        error = await refused(world.instances.WatchWorkflowInstances(many, metadata=known("few")).read())
        assert metadata_of(error)["quota"] == "watched_instances"
        call = world.instances.WatchWorkflowInstances(pb.WatchWorkflowInstancesRequest(ids=[1]), metadata=known("one"))
        await call.read()
        waits = [await owed_seconds(world, name) for name in ("few", "one")]
        call.cancel()

    calls = [wait / 10 - 1 for wait in waits]
    assert 19 <= calls[0] <= 21  # 80 instances, four of which are a call
    assert calls[1] <= 0
