"""A store whose memory runs out: from a mark on no new work is taken, and what makes room always goes through."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import aiohttp
import grpc
import pytest

from headgate import pb
from headgate.store import keys
from headgate_server.store import memory
from headgate_server.store.memory import parse
from tests.server.world import World, backfill, reason_of, serving, until

LIMIT = 24 * 1024 * 1024
"""Memory of the store in bytes; an empty one has about 2 MB."""


@pytest.fixture
async def small(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server with a small store, that looks at its memory all the time."""
    monkeypatch.setattr(memory, "ASK_SECONDS", 0.01)
    async with serving(redis_url, store_high_water=0.5) as world:
        await world.redis.config_set("maxmemory", LIMIT)
        await until(lambda: metric(world, "headgate_store_limit_bytes", LIMIT))
        yield world
        await world.redis.config_set("maxmemory", 0)


async def metric(world: World, name: str, value: float) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
        rows = [line.split() for line in (await response.text()).splitlines()]
    return [float(row[1]) for row in rows if row[0] == name] == [value]


async def code_of(asked: Awaitable[Any]) -> str:
    """OK, or the reason that a call was refused for."""
    try:
        await asked
    except grpc.RpcError as error:
        return reason_of(error)
    return "OK"


def large(job_id: str) -> pb.CreateBackfillRequest:
    request = backfill(job_id=job_id, request_id=f"r-{job_id}")
    request.spec.workflow_parameters = f'{{"k": "{"x" * 60_000}"}}'
    return request


async def fill(world: World) -> list[str]:
    """Submits large jobs until the store takes no more; their ids."""
    for number in range(1_000):
        answer = await code_of(world.backfills.CreateBackfill(large(f"j{number}")))
        if answer != "OK":
            assert answer == "STORE_FULL"
            return [f"j{taken}" for taken in range(number)]
    raise AssertionError("the store takes everything")


async def test_new_work_is_refused_from_the_mark_on_and_taken_again_after_deletions(small: World) -> None:
    await small.submit(job_id="ended")
    await small.worker.finish("ended")
    taken = await fill(small)

    used = (await small.redis.info("memory"))["used_memory"]
    assert 0.5 * LIMIT <= used < 0.8 * LIMIT
    assert await metric(small, "headgate_store_nearly_full", 1)
    assert await code_of(small.backfills.CreateBackfill(backfill())) == "STORE_FULL"
    assert await code_of(small.jobs.RetryJob(pb.RetryJobRequest(name="jobs/ended"))) == "STORE_FULL"
    assert await code_of(small.backfills.CreateBackfill(backfill(validate_only=True))) == "OK"
    again = await small.backfills.CreateBackfill(large(taken[0]))
    assert again.name == keys.job_name(taken[0])
    assert await code_of(small.jobs.PauseJob(pb.PauseJobRequest(name=again.name))) == "OK"
    assert (
        await code_of(small.instances.GetWorkflowInstance(pb.GetWorkflowInstanceRequest(id=7), timeout=0.3))
        != "STORE_FULL"
    )

    for job_id in taken:
        await small.worker.finish(job_id)
        await small.jobs.DeleteJob(pb.DeleteJobRequest(name=keys.job_name(job_id)))
    await until(lambda: metric(small, "headgate_store_nearly_full", 0))
    await small.submit(job_id="later")
    assert await code_of(small.jobs.RetryJob(pb.RetryJobRequest(name="jobs/ended"))) == "OK"


async def test_a_full_store_is_cleared_by_cancels_and_deletions(small: World) -> None:
    taken = await fill(small)
    for job_id in taken[1:]:
        await small.worker.finish(job_id)
    await stuff(small)
    assert await code_of(small.backfills.CreateBackfill(backfill())) == "STORE_FULL"

    name = keys.job_name(taken[0])
    cancelled = await small.jobs.CancelJob(pb.CancelJobRequest(name=name, mode=pb.CANCEL_MODE_DETACH))
    assert cancelled.state == pb.JOB_STATE_CANCELLING
    async with aiohttp.ClientSession() as session, session.get(f"{small.ops}/readyz") as response:
        assert response.status == 200
    for job_id in taken[1:]:
        await small.jobs.DeleteJob(pb.DeleteJobRequest(name=keys.job_name(job_id)))
    await small.worker.move(taken[0], pb.JOB_STATE_CANCELLED)
    await small.jobs.DeleteJob(pb.DeleteJobRequest(name=name))
    await small.redis.delete("stuffing")
    await until(lambda: metric(small, "headgate_store_nearly_full", 0))
    await small.submit(job_id="later")


async def stuff(world: World) -> None:
    """Fill the store to its brim with something that is not ours."""
    with pytest.raises(Exception, match=r"maxmemory|OOM"):
        for _ in range(1_000):
            await world.redis.append("stuffing", b"x" * 100_000)
    with pytest.raises(Exception, match=r"maxmemory|OOM"):
        for _ in range(20_000):
            await world.redis.rpush("small", b"x" * 100)  # type: ignore[misc]


def test_what_does_not_count_against_the_limit_is_left_out() -> None:
    info = (
        b"# Memory\r\nused_memory:1000\r\nused_memory_human:1K\r\nmem_not_counted_for_evict:300\r\nmaxmemory:2000\r\n"
    )
    assert parse(info) == (700, 2_000)
    assert parse(b"") == (0, 0)
