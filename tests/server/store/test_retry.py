"""A store that refuses writes, full or read-only: every write is told so, and everything that only reads goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest
from google.rpc import error_details_pb2

from headgate import pb
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_server.errors.exceptions import StoreFull
from headgate_server.store.errors import StoreReplyLost
from headgate_server.store.retry import retry_lost_reply
from tests.server.world import World, backfill, detail, gather_until_end, reason_of, serving, shape, status_of

Ask = Callable[[World, str], Awaitable[object]]

ENDS: dict[str, Ask] = {
    "a cancel": lambda world, name: world.jobs.CancelJob(pb.CancelJobRequest(name=name)),
    "a cancel that detaches": lambda world, name: world.jobs.CancelJob(
        pb.CancelJobRequest(name=name, mode=pb.CANCEL_MODE_DETACH)
    ),
}

WRITES: dict[str, Ask] = {
    "a pause": lambda world, name: world.jobs.PauseJob(pb.PauseJobRequest(name=name)),
    "a submit": lambda world, _: world.backfills.CreateBackfill(backfill(job_id="later")),
    "a question to a worker": lambda world, _: world.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=7)),
}

READS: dict[str, Ask] = {
    "the job": lambda world, name: world.jobs.GetJob(pb.GetJobRequest(name=name)),
    "the list": lambda world, _: world.jobs.ListJobs(pb.ListJobsRequest()),
    "the counts": lambda world, _: world.jobs.CountJobs(pb.CountJobsRequest()),
    "the log": lambda world, name: world.jobs.ListJobEvents(pb.ListJobEventsRequest(name=name, start_revision=1)),
    "the explanation": lambda world, name: world.jobs.ExplainJob(pb.ExplainJobRequest(name=name)),
    "a watch": lambda world, name: world.jobs.WatchJob(pb.WatchJobRequest(name=name)).read(),
    "a watch of all": lambda world, _: world.jobs.WatchJobs(pb.WatchJobsRequest()).read(),
}


@pytest.fixture
async def full(world: World) -> AsyncIterator[World]:
    await world.submit(job_id="mine")
    await world.redis.config_set("maxmemory", "100kb")
    yield world
    await world.redis.config_set("maxmemory", "0")


@pytest.fixture
async def demoted() -> AsyncIterator[World]:
    async with RedisServer() as redis, serving(redis.url) as world:
        await world.submit(job_id="mine")
        await world.redis.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
        yield world


async def refusal(asked: Awaitable[object]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await asked
    return caught.value


def patience_of(error: grpc.RpcError) -> float:
    info = detail(status_of(error), error_details_pb2.RetryInfo)
    return 0.0 if info is None else float(info.retry_delay.ToTimedelta().total_seconds())


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_full_store_is_told_to_writers(full: World, write: Ask) -> None:
    error = await refusal(write(full, "jobs/mine"))

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert reason_of(error) == "STORE_FULL"
    assert patience_of(error) > 0


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_a_full_store_takes_what_brings_jobs_to_their_end(full: World, end: Ask) -> None:
    assert await end(full, "jobs/mine") is not None


@pytest.mark.parametrize("write", [*WRITES.values(), *ENDS.values()], ids=[*WRITES, *ENDS])
async def test_a_read_only_store_is_told_to_writers(demoted: World, write: Ask) -> None:
    error = await refusal(write(demoted, "jobs/mine"))

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert reason_of(error) == "STORE_UNAVAILABLE"
    assert patience_of(error) > 0


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_full_store_is_read(full: World, read: Ask) -> None:
    assert await read(full, "jobs/mine") is not None


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_read_only_store_is_read(demoted: World, read: Ask) -> None:
    assert await read(demoted, "jobs/mine") is not None


async def test_a_full_store_serves_what_was_seen(full: World) -> None:
    await full.redis.config_set("maxmemory", "0")
    seen = pb.WorkflowInstance(id=7)
    seen.observe_time.GetCurrentTime()
    await full.redis.set(keys.observation("", 7), seen.SerializeToString())
    await full.redis.config_set("maxmemory", "100kb")
    request = pb.GetWorkflowInstanceRequest(id=7)
    request.max_staleness.FromSeconds(60)

    assert (await full.instances.GetWorkflowInstance(request)).id == 7


async def test_nothing_of_a_refused_submit_is_left_and_a_repeat_is_taken_when_there_is_room(full: World) -> None:
    await refusal(full.backfills.CreateBackfill(backfill(job_id="later", request_id="r-1")))
    assert await full.redis.exists(keys.job("later"), keys.log("later")) == 0

    await full.redis.config_set("maxmemory", "0")
    await full.submit(job_id="later", request_id="r-1")


async def test_a_watch_of_a_full_store_goes_on_when_there_is_room(full: World) -> None:
    call = full.watch("mine")
    first = await call.read()
    assert isinstance(first, pb.WatchJobResponse)

    await full.redis.config_set("maxmemory", "0")
    await full.worker.finish("mine")

    assert shape([first, *await gather_until_end(call)]) == [("snapshot", 1), ("event", 2), ("event", 3), ("end", 3)]


async def test_a_refusal_after_a_lost_reply_promises_nothing() -> None:
    tries = iter((StoreReplyLost("no reply"), StoreFull()))

    async def twice() -> None:
        raise next(tries)

    with pytest.raises(StoreReplyLost):
        await retry_lost_reply(twice)
