"""Pages end by bytes, and are read in groups that are small in bytes, however large single jobs are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc
import pytest
from google.longrunning import operations_grpc_pb2
from google.longrunning import operations_proto_pb2 as lro

from headgate import pb
from headgate.job import sizes
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import job_groups, listing
from headgate_server.jobs.job_counts import JobCounts
from headgate_server.jobs.job_groups import JobGroups
from headgate_server.jobs.listing import list_jobs
from headgate_server.ports.call import Call
from headgate_server.ports.caller import Caller, Right
from headgate_server.ports.jobs import StoredJob
from headgate_server.watch import long_poll
from tests.server.world import (
    World,
    fields_of,
    refusal,
    status_of,
)

CLIENT_BYTES: Final = 4 * 1024 * 1024
"""What a client of gRPC takes of one message unless told otherwise."""

OTHERS: Final = Caller("others", frozenset({Right.READ}), connections=frozenset({"b"}))


class Jobs:
    """Jobs of a size each, all on connection "a"; notes how much was held at once.

    Where their connection is not `told` beside them, as of jobs of a version before, each has to be read for it.
    """

    def __init__(self, *sizes_: int, told: bool = False) -> None:
        self._sizes = sizes_
        self._told = told
        self.read: list[int] = []

    async def walk(self, index: str, *, after: int, newest_first: bool, count: int) -> list[tuple[str, int]]:
        if index not in (keys.JOBS, keys.state(pb.JOB_STATE_QUEUED)):
            return []
        numbers = range(1, len(self._sizes) + 1)
        left = [n for n in reversed(numbers) if not after or n < after] if newest_first else numbers[after:]
        return [(f"job-{number}", number) for number in left][:count]

    async def load_many(self, job_ids: Sequence[str]) -> list[StoredJob | None]:
        found: list[StoredJob | None] = [self._stored(int(job_id.removeprefix("job-"))) for job_id in job_ids]
        self.read.append(sum(len(one.body) for one in found if one is not None))
        return found

    async def connections_of(self, job_ids: Sequence[str]) -> list[str | None]:
        return ["a" if self._told else None for _ in job_ids]

    def _stored(self, number: int) -> StoredJob:
        job = pb.Job(name=f"jobs/job-{number}", connection="a", state=pb.JOB_STATE_QUEUED)
        job.cancel.reason = "x" * self._sizes[number - 1]
        body = job.SerializeToString()
        return StoredJob(1, body, job)


async def test_large_jobs_that_the_caller_may_not_see_are_read_a_few_at_a_time() -> None:
    hidden = Jobs(*[2 * 1024 * 1024] * 60)

    page = await list_jobs(hidden, pb.ListJobsRequest(), Call(caller=OTHERS))

    assert not page.jobs
    assert max(hidden.read) <= job_groups.FIRST * 2.1 * 1024 * 1024
    assert max(hidden.read[1:]) < 2.1 * 1024 * 1024, "one at a time, of those that are larger than a group"
    assert sum(hidden.read) < listing.MAX_READ_BYTES + 2.1 * 1024 * 1024
    assert page.next_page_token


async def test_jobs_that_the_caller_may_not_see_are_not_read_where_their_connection_is_known() -> None:
    hidden = Jobs(*[2 * 1024 * 1024] * 1_000, told=True)

    page = await list_jobs(hidden, pb.ListJobsRequest(), Call(caller=OTHERS))
    counts = await JobCounts(hidden).count({"b"})

    assert not page.jobs and not page.next_page_token
    assert not counts.get(pb.JOB_STATE_QUEUED)
    assert not hidden.read


async def test_a_count_of_some_connections_reads_a_few_at_a_time() -> None:
    hidden = Jobs(*[2 * 1024 * 1024] * 60)

    counts = await JobCounts(hidden).count({"a"})

    assert counts[pb.JOB_STATE_QUEUED] == 60
    assert max(hidden.read[1:]) < 2.1 * 1024 * 1024, "one at a time, of those that are larger than a group"


async def test_small_jobs_are_read_in_large_groups() -> None:
    jobs = Jobs(*[100] * 1_000)

    await list_jobs(jobs, pb.ListJobsRequest(), Call(caller=OTHERS))

    assert len(jobs.read) <= 7


class Meter:
    """Notes how many bytes were read for whom."""

    def __init__(self) -> None:
        self.read: list[tuple[str, int]] = []

    def weigh_read(self, caller: Caller, size: int, /) -> None:
        self.read.append((caller.name, size))

    def weigh_watch(self, caller: Caller, instances: int, /) -> None:
        raise NotImplementedError


async def test_what_is_read_is_counted_for_its_caller_also_where_nothing_of_it_is_shown() -> None:
    meter, hidden = Meter(), Jobs(*[2 * 1024 * 1024] * 10)

    page = await list_jobs(hidden, pb.ListJobsRequest(), Call(caller=OTHERS, meter=meter))

    assert not page.jobs
    assert meter.read == [(OTHERS.name, size) for size in hidden.read]


@pytest.mark.parametrize("there", [49, 50, 51])
async def test_a_page_of_which_all_is_wanted_reads_no_more_than_it_shows(there: int) -> None:
    jobs = Jobs(*[100] * there)

    page = await list_jobs(jobs, pb.ListJobsRequest(), Call())

    assert len(page.jobs) == min(there, listing.PAGE_SIZE)
    assert bool(page.next_page_token) is (there > listing.PAGE_SIZE)
    assert len(jobs.read) == 2


def test_a_group_has_one_job_at_least_and_not_too_many() -> None:
    groups = JobGroups(Jobs())
    assert groups.walked() == job_groups.FIRST
    groups._jobs = 1
    for groups.bytes, size in ((1 << 30, 1), (0, job_groups.MOST), (job_groups.GROUP_BYTES // 2, 2)):
        assert groups.walked() == size


@pytest.mark.parametrize("size", [1, 1_000, 300_000, listing.MAX_PAGE_BYTES, sizes.MAX_JOB_BYTES])
async def test_a_page_ends_by_bytes_and_the_walk_goes_on(size: int) -> None:
    jobs, token, names = Jobs(*[size, 10] * 6), "", []
    while True:
        page = await list_jobs(jobs, pb.ListJobsRequest(page_token=token, page_size=200), Call())
        names += [job.name for job in page.jobs]
        assert len(page.jobs) == 1 or page.ByteSize() <= listing.MAX_PAGE_BYTES + 4_096
        token = page.next_page_token
        if not token:
            break

    assert names == [f"jobs/job-{number}" for number in range(12, 0, -1)]


async def grown(world: World, job_id: str, size: int) -> None:
    """A job whose row is of some size, as upstream's words make it."""
    await world.submit(job_id=job_id)
    job = await world.worker.load(job_id)
    job.error.message = "x" * size
    job.state = pb.JOB_STATE_SUCCEEDED
    redis: Any = world.redis
    await redis.hset(keys.job(job_id), "snap", job.SerializeToString())


async def test_the_largest_jobs_can_be_shown_by_every_call(world: World) -> None:
    """With a client's default limit of 4 MiB, which this one has."""
    for number in range(4):
        await grown(world, f"large-{number}", sizes.MAX_JOB_BYTES - 2_048)
    operations = operations_grpc_pb2.OperationsStub(world.channel)

    job = await world.jobs.GetJob(pb.GetJobRequest(name="jobs/large-0"))
    assert job.ByteSize() > sizes.MAX_JOB_BYTES - 2_048
    for view in (pb.JOB_VIEW_BASIC, pb.JOB_VIEW_FULL):
        assert len((await world.jobs.ListJobs(pb.ListJobsRequest(view=view))).jobs) == 1
    found = await operations.GetOperation(lro.GetOperationRequest(name="operations/large-0"))
    assert found.response.value and sizes.MAX_JOB_BYTES < found.ByteSize() < CLIENT_BYTES
    assert len((await operations.ListOperations(lro.ListOperationsRequest())).operations) == 1
    one: Any = world.watch("large-0")
    assert (await one.read()).HasField("snapshot")
    all_: Any = world.jobs.WatchJobs(pb.WatchJobsRequest())
    assert [(await all_.read()).HasField("snapshot") for _ in range(4)] == [True] * 4


async def test_a_page_of_a_log_ends_by_bytes(world: World) -> None:
    await world.submit(job_id="wordy")
    for _ in range(12):
        await world.worker.say("wordy", "x" * 300_000)

    revisions, first, pages = [], 1, 0
    while first <= 13:
        page = await world.jobs.ListJobEvents(pb.ListJobEventsRequest(name="jobs/wordy", start_revision=first))
        assert page.ByteSize() <= long_poll.MAX_PAGE_BYTES + 4_096
        revisions += [event.revision for event in page.job_events]
        first, pages = page.next_revision, pages + 1

    assert revisions == list(range(1, 14))
    assert pages == 4
    whole: Any = world.watch("wordy", start_revision=1)
    assert [(await whole.read()).revision for _ in range(13)] == revisions


def test_a_page_token_is_good_only_for_its_arguments() -> None:
    asked = pb.ListJobsRequest(filter="state = RUNNING")
    asked.page_token = listing.write_token(asked, 77)

    assert listing.read_token(asked) == 77
    for other in (
        pb.ListJobsRequest(filter="state = QUEUED", page_token=asked.page_token),
        pb.ListJobsRequest(filter=asked.filter, order_by="create_time", page_token=asked.page_token),
        pb.ListJobsRequest(filter=asked.filter, page_token=asked.page_token[:-1]),
        pb.ListJobsRequest(filter=asked.filter, page_token="ünlesbar"),
    ):
        with pytest.raises(Refused) as caught:
            listing.read_token(other)
        assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


async def walk(world: World, **given: Any) -> list[str]:
    found, token = [], ""
    while True:
        page = await world.jobs.ListJobs(pb.ListJobsRequest(page_token=token, **given))
        found += [keys.job_id(job.name) for job in page.jobs]
        token = page.next_page_token
        if not token:
            return found


async def test_jobs_are_listed_newest_first_or_oldest_first(world: World) -> None:
    job_ids = [await world.submit() for _ in range(7)]

    assert await walk(world, page_size=3) == job_ids[::-1]
    assert await walk(world, page_size=2, order_by="create_time") == job_ids
    assert await walk(world, page_size=7) == job_ids[::-1]


async def test_a_walk_shows_every_job_once_while_others_are_added(world: World) -> None:
    job_ids = [await world.submit() for _ in range(6)]

    first = await world.jobs.ListJobs(pb.ListJobsRequest(page_size=2))
    await world.submit()
    rest = await world.jobs.ListJobs(pb.ListJobsRequest(page_size=200, page_token=first.next_page_token))

    assert [keys.job_id(job.name) for job in (*first.jobs, *rest.jobs)] == job_ids[::-1]


async def test_a_list_is_filtered(world: World) -> None:
    job_ids = [await world.submit(options=pb.JobOptions(labels={"n": str(n % 2)})) for n in range(6)]
    await world.worker.move(job_ids[0], pb.JOB_STATE_RUNNING)

    assert await walk(world, filter="state = RUNNING") == [job_ids[0]]
    assert await walk(world, filter='labels.n = "0" AND state = QUEUED', page_size=1) == [job_ids[4], job_ids[2]]
    assert await walk(world, filter="kind = start") == []


async def test_a_list_that_matches_little_ends_its_pages_early(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_WALKED", 4)
    job_ids = [await world.submit(options=pb.JobOptions(labels={"n": str(n)})) for n in range(10)]

    page = await world.jobs.ListJobs(pb.ListJobsRequest(filter="labels.n = 0"))

    assert not page.jobs and page.next_page_token
    assert await walk(world, filter="labels.n = 0") == [job_ids[0]]


async def test_a_bad_filter_or_order_is_named(world: World) -> None:
    for request, field in (
        (pb.ListJobsRequest(filter="colour = red"), "filter"),
        (pb.ListJobsRequest(order_by="name"), "order_by"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            await world.jobs.ListJobs(request)
        assert fields_of(status_of(caught.value)) == {field}


async def test_a_token_of_another_list_is_refused(world: World) -> None:
    for _ in range(3):
        await world.submit()
    token = (await world.jobs.ListJobs(pb.ListJobsRequest(page_size=1))).next_page_token

    other = pb.ListJobsRequest(page_token=token, filter="state = QUEUED")
    assert await refusal(world.jobs.ListJobs(other)) == "PAGE_TOKEN_INVALID"
