"""How much may be stored: jobs and bytes of a caller and of a connection, and the length of one job's log."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2

from headgate import pb
from headgate.job import log_bounds
from headgate.job.log_bounds import LogBounds
from headgate.store import keys
from tests.server.callers import entry, known, write
from tests.server.world import World, backfill, detail, metadata_of, reason_of, serving, status_of


async def refusal(asked: object) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await asked  # type: ignore[misc]
    return caught.value


def quota_of(error: grpc.RpcError) -> tuple[str, str, str]:
    """The quota, its limit, and whose it is."""
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and reason_of(error) == "CALLER_LIMIT"
    failure = detail(status_of(error), error_details_pb2.QuotaFailure)
    metadata = metadata_of(error)
    return metadata["quota"], metadata["limit"], failure.violations[0].subject


async def charged(world: World) -> dict[str, int]:
    found = await world.redis.hgetall(keys.STORED)  # type: ignore[misc]
    return {field.decode(): int(value) for field, value in found.items()}


async def delete(world: World, job_id: str) -> None:
    await world.jobs.DeleteJob(pb.DeleteJobRequest(name=keys.job_name(job_id)))


async def change_often(world: World, job_id: str) -> grpc.RpcError:
    """Pause and resume a job until that is refused; the refusal."""
    name = keys.job_name(job_id)
    with pytest.raises(grpc.RpcError) as caught:
        for _ in range(50):
            await world.jobs.PauseJob(pb.PauseJobRequest(name=name))
            await world.jobs.ResumeJob(pb.ResumeJobRequest(name=name))
    return caught.value


@pytest.fixture
async def small(redis_url: str) -> AsyncIterator[World]:
    async with serving(redis_url, connection_max_jobs=2) as world:
        yield world


async def test_a_connection_has_so_many_jobs_and_deletion_makes_room(small: World) -> None:
    await small.submit(job_id="one")
    await small.submit(job_id="two")

    error = await refusal(small.submit(job_id="three"))
    assert quota_of(error) == ("stored_jobs", "2", "connection:")
    assert detail(status_of(error), error_details_pb2.RetryInfo).retry_delay.seconds > 0
    assert not await small.redis.exists(keys.job("three"), keys.log("three"))
    await small.submit(job_id="elsewhere", connection="eu")

    await small.worker.finish("one")
    await delete(small, "one")
    await small.submit(job_id="three")


async def test_the_repeat_of_a_submit_is_answered_when_its_share_is_used_up(small: World) -> None:
    for job_id in ("one", "two"):
        await small.backfills.CreateBackfill(backfill(job_id=job_id, request_id=f"r-{job_id}"))

    again = await small.backfills.CreateBackfill(backfill(job_id="two", request_id="r-two"))
    assert again.name == "jobs/two"


async def test_a_connection_has_so_many_bytes(redis_url: str) -> None:
    async with serving(redis_url, connection_max_stored_bytes=1_000) as world:
        await world.submit(job_id="one")
        spec = pb.BackfillSpec(task_parameters=f'{{"1": "{"x" * 1_000}"}}')
        error = await refusal(world.submit(job_id="two", spec=spec))
    assert quota_of(error) == ("stored_bytes", "1000", "connection:")


async def test_a_caller_has_a_share_of_its_own(redis_url: str, tmp_path: Path) -> None:
    path = write(tmp_path / "callers.toml", entry("greedy", max_jobs=1) + entry("other", max_stored_bytes=10))
    async with serving(redis_url, callers=path) as world:
        await world.backfills.CreateBackfill(backfill(), metadata=known("greedy"))
        error = await refusal(world.backfills.CreateBackfill(backfill(), metadata=known("greedy")))
        assert quota_of(error) == ("stored_jobs", "1", "caller:greedy")
        error = await refusal(world.backfills.CreateBackfill(backfill(), metadata=known("other")))
        assert quota_of(error) == ("stored_bytes", "10", "caller:other")


async def test_what_was_charged_is_given_back_exactly(world: World) -> None:
    await world.submit(job_id="stays")
    before = await charged(world)

    await world.submit(job_id="goes")
    assert (await charged(world))["jobs connection:"] == 2
    await world.worker.say("goes", "a long story" * 100)
    await change_often_until_finished(world, "goes")
    grown = await charged(world)
    assert grown["bytes caller:anonymous"] > before["bytes caller:anonymous"] * 2 + 1_200
    await delete(world, "goes")

    assert await charged(world) == before


async def change_often_until_finished(world: World, job_id: str) -> None:
    await world.jobs.PauseJob(pb.PauseJobRequest(name=keys.job_name(job_id)))
    await world.jobs.ResumeJob(pb.ResumeJobRequest(name=keys.job_name(job_id)))
    await world.worker.finish(job_id)


async def test_nothing_is_left_of_a_caller_without_jobs(world: World) -> None:
    await world.submit(job_id="only")
    await world.worker.finish("only")
    await delete(world, "only")

    assert await charged(world) == {}


async def test_a_job_that_was_never_charged_gives_nothing_back(world: World) -> None:
    await world.submit(job_id="new")
    before = await charged(world)
    await world.submit(job_id="old")
    await world.redis.hdel(keys.job("old"), "by", "owed")  # type: ignore[misc]
    await world.redis.hset(keys.STORED, mapping=before)  # type: ignore[misc]

    await world.worker.finish("old")
    await delete(world, "old")
    assert await charged(world) == before


@pytest.mark.parametrize(("bounds", "quota"), [(LogBounds(6, 0), "log_events"), (LogBounds(0, 4_000), "log_bytes")])
async def test_callers_make_a_log_only_so_long(
    world: World, monkeypatch: pytest.MonkeyPatch, bounds: LogBounds, quota: str
) -> None:
    monkeypatch.setattr(log_bounds, "CALLERS", bounds)
    await world.submit(job_id="mine")

    error = await change_often(world, "mine")
    assert quota_of(error) == (quota, str(bounds.events or bounds.bytes), "jobs/mine")
    assert await world.redis.llen(keys.log("mine")) <= (bounds.events or 80)  # type: ignore[misc]
    assert detail(status_of(error), error_details_pb2.RetryInfo) is None

    await world.worker.say("mine", "the worker goes on")
    cancelled = await world.jobs.CancelJob(pb.CancelJobRequest(name="jobs/mine", mode=pb.CANCEL_MODE_DETACH))
    assert cancelled.state == pb.JOB_STATE_CANCELLING
    await world.worker.move("mine", pb.JOB_STATE_CANCELLED)
    await delete(world, "mine")


async def test_a_log_that_older_versions_began_is_counted_from_here_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_bounds, "CALLERS", LogBounds(0, 1_500))
    await world.submit(job_id="mine")
    await world.redis.hdel(keys.job("mine"), "lb")  # type: ignore[misc]

    error = await change_often(world, "mine")
    assert quota_of(error)[0] == "log_bytes"
    assert await world.redis.llen(keys.log("mine")) > 5  # type: ignore[misc]
