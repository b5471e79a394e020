import asyncio

import grpc
import pytest

from headgate import pb
from headgate.job import event_log
from headgate.store import keys
from tests.server.cutter import Cut, cutting
from tests.server.world import World, backfill, metadata_of, reason_of, serving, status_of


async def test_a_submit_answers_with_the_durable_job(world: World) -> None:
    job = await world.backfills.CreateBackfill(backfill(job_id="mine"))

    assert (job.name, job.state, job.revision) == ("jobs/mine", pb.JOB_STATE_QUEUED, 1)
    assert [run.state for run in job.runs] == [pb.RUN_STATE_PLANNED] * 2
    assert await world.worker.load("mine") == job
    assert await world.jobs.GetJob(pb.GetJobRequest(name=job.name)) == job


async def test_the_log_of_a_submit_folds_to_the_job(world: World) -> None:
    job = await world.backfills.CreateBackfill(backfill(job_id="mine"))

    raw = await world.redis.lrange(keys.log("mine"), 0, -1)  # type: ignore[misc]
    events = [pb.JobEvent.FromString(event) for event in raw]
    assert event_log.replay(events) == job
    assert events[0].job == job


async def test_a_submit_wakes_a_worker_at_once(world: World) -> None:
    job_id = await world.submit()

    kicked = await world.redis.lrange(keys.kick(keys.TICKS), 0, -1)  # type: ignore[misc]
    assert len(kicked) == 1 and kicked[0].startswith(f"tick:{job_id}:".encode())
    assert await world.redis.exists(keys.arq_job(kicked[0].decode())) == 1
    assert await world.redis.zscore(keys.DUE, job_id) is not None


async def test_the_same_request_id_answers_with_the_same_job_as_it_stands(world: World) -> None:
    first = await world.backfills.CreateBackfill(backfill(request_id="r-1"))
    after = await world.worker.say(keys.job_id(first.name))

    again = await world.backfills.CreateBackfill(backfill(request_id="r-1"))

    assert again == after
    assert await world.redis.zcard(keys.JOBS) == 1


async def test_the_same_request_id_with_another_body_is_refused(world: World) -> None:
    first = await world.backfills.CreateBackfill(backfill(request_id="r-1"))

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(backfill(request_id="r-1", until=pb.UNTIL_ACCEPTED))

    assert reason_of(caught.value) == "REQUEST_ID_REUSED"
    assert metadata_of(caught.value) == {"job": first.name}


async def test_a_request_id_is_remembered_by_the_next_server(redis_url: str) -> None:
    async with serving(redis_url) as world:
        first = await world.backfills.CreateBackfill(backfill(request_id="r-1"))
    async with serving(redis_url) as world:
        assert await world.backfills.CreateBackfill(backfill(request_id="r-1")) == first


async def test_a_hundred_parallel_submits_with_one_request_id_make_one_job(world: World) -> None:
    calls = (world.backfills.CreateBackfill(backfill(request_id="r-1")) for _ in range(100))

    jobs = await asyncio.gather(*calls)

    assert len({job.name for job in jobs}) == 1
    assert await world.redis.zcard(keys.JOBS) == 1
    assert await world.redis.llen(keys.log(keys.job_id(jobs[0].name))) == 1  # type: ignore[misc]


async def test_parallel_submits_without_request_ids_make_jobs_of_their_own(world: World) -> None:
    job_ids = await asyncio.gather(*(world.submit() for _ in range(60)))

    assert len(set(job_ids)) == 60
    assert await world.redis.zcard(keys.JOBS) == 60


async def test_a_taken_job_id_is_told_with_the_other_job(world: World) -> None:
    await world.submit(job_id="mine")

    with pytest.raises(grpc.RpcError) as caught:
        await world.submit(job_id="mine")

    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert reason_of(caught.value) == "JOB_EXISTS"
    assert metadata_of(caught.value) == {"job": "jobs/mine", "state": "QUEUED"}


async def test_validate_only_answers_and_records_nothing(world: World) -> None:
    job = await world.backfills.CreateBackfill(backfill(job_id="mine", request_id="r-1", validate_only=True))

    assert (job.name, len(job.runs), job.revision) == ("jobs/mine", 2, 1)
    assert await world.redis.keys("hg:job*") == []
    assert await world.redis.keys("hg:request*") == []


async def test_validate_only_says_that_a_job_id_is_taken(world: World) -> None:
    await world.submit(job_id="mine")

    with pytest.raises(grpc.RpcError) as caught:
        await world.submit(job_id="mine", validate_only=True)

    assert reason_of(caught.value) == "JOB_EXISTS"


async def test_which_connections_there_are_is_the_workers_to_know(world: World) -> None:
    job_id = await world.submit(connection="other")

    assert (await world.worker.load(job_id)).connection == "other"


async def test_the_start_stop_and_adhoc_kinds_become_jobs(world: World) -> None:
    start = pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[5, 6]))
    stop = pb.StopWorkflowInstancesRequest(spec=pb.StopWorkflowInstancesSpec(ids=[5]))

    started = await world.instances.StartWorkflowInstances(start)
    stopped = await world.instances.StopWorkflowInstances(stop)

    assert [run.workflow_instance_id for run in started.runs] == [5, 6]
    assert [job.WhichOneof("spec") for job in (started, stopped)] == ["start", "stop"]


@pytest.mark.parametrize("what", ["request", "reply"])
@pytest.mark.parametrize("request_id", ["", "r-1"])
async def test_a_commit_whose_reply_was_lost_is_made_once(
    redis_url: str, redis_port: int, what: Cut, request_id: str
) -> None:
    async with cutting(redis_port) as cutter, serving(f"redis://127.0.0.1:{cutter.port}/0") as world:
        await world.submit()
        cutter.arm(what, b"EVALSHA")

        job_id = await world.submit(request_id=request_id)

        assert cutter.cuts == 1
        assert (await world.worker.load(job_id)).revision == 1
        assert await world.redis.zcard(keys.JOBS) == 2


async def test_errors_name_the_domain_and_stay_small(world: World) -> None:
    request = backfill()
    request.spec.biz_dates.extend([pb.DateRange()] * 1_000)

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(request)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status_of(caught.value).ByteSize() < 6_000
