"""A commit whose reply is lost: both processes find out alike whether it was made, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys, queue_entries
from headgate.store.commit import Commit, CommitOutcome, Committed, Stale, Wake
from headgate_cli.dev.redis_server import RedisServer
from headgate_redis.clock import StoreClock
from headgate_redis.pipeline import Pipeline
from headgate_server.store.connections import RedisLink
from headgate_server.store.jobs import RedisStore
from headgate_worker.core.model.steps import apply
from headgate_worker.store.clients import command_client
from headgate_worker.store.jobs import Store
from tests.server.cutter import Cutter, cutting
from tests.worker.submitting import backfill_job, seed_backfill, submit

Submit = Callable[[Commit], Awaitable[CommitOutcome]]
MARK = "a message that nothing else has"


@asynccontextmanager
async def server_store(url: str) -> AsyncIterator[Submit]:
    link = RedisLink(url, timeout=3.0)
    pipes = [Pipeline(link.connection, timeout=3.0) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pipe.run()) for pipe in pipes]
        yield RedisStore(writes=pipes[0], reads=pipes[1], clock=StoreClock()).submit
        for task in tasks:
            task.cancel()
    await link.close()


@asynccontextmanager
async def worker_store(url: str) -> AsyncIterator[Submit]:
    redis = command_client(url, connections=4)
    yield Store(redis, lease_ms=2_000).commit
    await redis.aclose()


ADAPTERS = {"server": server_store, "worker": worker_store}


@pytest.fixture
async def redis_server() -> AsyncIterator[RedisServer]:
    async with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = command_client(redis_server.url, connections=4)
    yield client
    await client.aclose()


@pytest.fixture(params=list(ADAPTERS))
async def lossy(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[tuple[Cutter, Submit]]:
    """An adapter behind a proxy that can swallow a reply."""
    async with AsyncExitStack() as stack:
        cutter = await stack.enter_async_context(cutting(urlsplit(redis_server.url).port or 0))
        yield cutter, await stack.enter_async_context(ADAPTERS[request.param](f"redis://127.0.0.1:{cutter.port}/0"))


async def accepted(redis: Redis) -> pb.Job:
    """A job in the store; its commit has made Redis learn the script."""
    store = Store(redis, lease_ms=2_000)
    job = await store.load(await submit(store, backfill_job(seed_backfill())))
    assert job is not None
    return job


def warning(job: pb.Job, message: str = MARK) -> Commit:
    """A change without a fence: a warning on top of a job."""
    after, events = apply(job, (pb.JobEvent(type=pb.EVENT_TYPE_WARNING, message=message),), now_ms=1)
    wake = Wake(queue_entries.tick(keys.job_id(job.name), nonce="0123456789ab", now_ms=0), 1_000)
    raw = tuple(event.SerializeToString(deterministic=True) for event in events)
    return Commit(job.state, after, job.revision, raw, wake=wake)


async def test_a_commit_whose_reply_was_lost_says_when_it_was_made(redis: Redis, lossy: tuple[Cutter, Submit]) -> None:
    cutter, adapter = lossy
    job = await accepted(redis)
    before_ms = await Store(redis, lease_ms=2_000).now_ms()
    cutter.arm("reply", MARK.encode())

    answer = await adapter(warning(job))

    assert cutter.cuts == 1
    assert isinstance(answer, Committed) and answer.revision == 2
    assert before_ms <= answer.now_ms <= await Store(redis, lease_ms=2_000).now_ms()
    assert await redis.llen(keys.log(keys.job_id(job.name))) == 2  # type: ignore[misc]


async def test_a_commit_whose_request_was_lost_is_made_once(redis: Redis, lossy: tuple[Cutter, Submit]) -> None:
    cutter, adapter = lossy
    job = await accepted(redis)
    cutter.arm("request", MARK.encode())

    answer = await adapter(warning(job))

    assert isinstance(answer, Committed) and answer.revision == 2 and answer.now_ms > 0
    assert await redis.llen(keys.log(keys.job_id(job.name))) == 2  # type: ignore[misc]


async def test_what_another_writer_has_added_is_not_taken_for_ones_own(
    redis: Redis, lossy: tuple[Cutter, Submit]
) -> None:
    cutter, adapter = lossy
    job = await accepted(redis)
    assert isinstance(await Store(redis, lease_ms=2_000).commit(warning(job, "another writer's")), Committed)
    cutter.arm("reply", MARK.encode())

    assert await adapter(warning(job)) == Stale(2)
