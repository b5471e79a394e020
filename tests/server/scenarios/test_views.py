"""What callers see of a job's payloads: everything of one, nothing in lists and feeds unless they ask."""

from __future__ import annotations

from typing import Any

import pytest
from google.longrunning import operations_grpc_pb2
from google.longrunning import operations_proto_pb2 as lro

from headgate import pb
from headgate.messages import views
from headgate.store import keys
from tests.server.world import World, backfill


async def submitted(world: World) -> str:
    request = backfill()
    request.spec.task_parameters = '{"1": "password=s3cret"}'
    request.spec.extra.update({"New": "s3cret"})
    return keys.job_id((await world.backfills.CreateBackfill(request)).name)


@pytest.mark.parametrize(
    ("view", "whole"), [(pb.JOB_VIEW_UNSPECIFIED, True), (pb.JOB_VIEW_FULL, True), (pb.JOB_VIEW_BASIC, False)]
)
async def test_one_job_is_shown_whole_unless_it_is_asked_for_without_payloads(
    world: World, view: pb.JobView.ValueType, whole: bool
) -> None:
    name = keys.job_name(await submitted(world))

    job = await world.jobs.GetJob(pb.GetJobRequest(name=name, view=view))

    assert (b"s3cret" in job.SerializeToString()) is whole
    assert job.backfill.name == "seed"


@pytest.mark.parametrize(
    ("view", "whole"), [(pb.JOB_VIEW_UNSPECIFIED, False), (pb.JOB_VIEW_BASIC, False), (pb.JOB_VIEW_FULL, True)]
)
async def test_a_list_has_no_payloads_unless_they_are_asked_for(
    world: World, view: pb.JobView.ValueType, whole: bool
) -> None:
    job_id = await submitted(world)
    job = await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id)))

    page = await world.jobs.ListJobs(pb.ListJobsRequest(view=view))

    assert list(page.jobs) == [job if whole else views.basic(job)]


async def test_operations_are_listed_without_payloads(world: World) -> None:
    await submitted(world)
    operations: Any = operations_grpc_pb2.OperationsStub(world.channel)

    page = await operations.ListOperations(lro.ListOperationsRequest())

    assert len(page.operations) == 1
    assert b"s3cret" not in page.SerializeToString()


async def test_a_watch_of_all_jobs_shows_no_payloads(world: World) -> None:
    await submitted(world)
    call: Any = world.jobs.WatchJobs(pb.WatchJobsRequest())
    snapshot = (await call.read()).snapshot
    second = keys.job_name(await submitted(world))

    while (message := await call.read()).job != second:
        assert not message.HasField("end")
    call.cancel()

    assert snapshot.backfill.name == message.event.job.backfill.name == "seed"
    assert b"s3cret" not in snapshot.SerializeToString() + message.SerializeToString()
