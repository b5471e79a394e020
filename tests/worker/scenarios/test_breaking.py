"""What breaks one tick, or one turn of a lane's own work, ends neither the worker nor what runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job import sizes
from headgate.quota.admission import PLAIN, QuotaVerdict
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.core.model.calls import Call
from headgate_worker.ports.store import Taken
from headgate_worker.queue.leased_worker import LaneOptions, LeasedWorker
from headgate_worker.store.clients import blocking_client
from headgate_worker.store.jobs import Store
from headgate_worker.ticks.engine import SUSPECT_AGAIN_MS
from tests.worker.conftest import eventually
from tests.worker.queue.test_leased_worker import QUEUE, definition, idle, lane, put
from tests.worker.submitting import backfill_job, seed_backfill, submit
from tests.worker.ticks.test_tick import Upstream, engine

pytestmark = pytest.mark.slow

BREAKS = [RuntimeError("broken"), SystemExit(3), MemoryError(), RecursionError()]


def named(error: BaseException) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", BREAKS, ids=named)
async def test_an_entry_that_breaks_comes_again_and_cuts_no_other_off(
    redis: Redis, redis_server: RedisServer, error: BaseException
) -> None:
    tries: list[str] = []
    broken = asyncio.Event()

    async def work() -> None:
        tries.append("broken")
        broken.set()
        if len(tries) == 1:
            raise error

    async def beside() -> None:
        await broken.wait()
        await asyncio.sleep(0.1)
        tries.append("beside")

    async with lane(redis, redis_server, {"work": work, "beside": beside}) as worker:
        await put(redis, "e2", definition("beside"))
        await put(redis, "e1", definition("work"))
        await eventually(lambda: idle(redis))

    assert tries == ["broken", "beside", "broken"]
    assert worker.jobs_complete == 2


class ShortOfMemory(LeasedWorker):
    """Finds no memory the first time that it ends claims, and the first time that it renews leases."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.failed: list[str] = []
        self._finish = self._short("finish", self._finish)  # type: ignore[assignment]
        self._renew = self._short("renew", self._renew)  # type: ignore[assignment]

    def _short(self, what: str, script: Callable[..., Any]) -> Callable[..., Any]:
        async def run(**arguments: Any) -> Any:
            if what not in self.failed:
                self.failed.append(what)
                raise MemoryError
            return await script(**arguments)

        return run


async def test_a_lane_whose_own_work_breaks_goes_on(redis: Redis, redis_server: RedisServer) -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0.3)
        done.append(number)

    async with lane(redis, redis_server, {"work": work}, kind=ShortOfMemory, lease_ms=600, poll_seconds=0.1) as worker:
        for number in range(2):
            await put(redis, f"e{number}", definition("work", number))
        await eventually(lambda: idle(redis))

    assert isinstance(worker, ShortOfMemory)
    assert sorted(worker.failed) == ["finish", "renew"]
    assert set(done) == {0, 1}


async def test_a_lane_that_is_cut_off_ends(redis: Redis, redis_server: RedisServer) -> None:
    async def work() -> None:
        await asyncio.sleep(60)

    blocking = blocking_client(redis_server.url, block_seconds=1.0)
    worker = LeasedWorker(redis, blocking, {"work": work}, LaneOptions(QUEUE, 10), "me")
    running = asyncio.create_task(worker.main())
    await put(redis, "e1", definition("work"))

    async def has_begun() -> bool:
        return bool(worker.running)

    await eventually(has_begun)
    running.cancel()
    done, _ = await asyncio.wait((running,), timeout=5.0)
    await blocking.aclose()

    assert done


class Breaking(Upstream):
    """A cloud at which every tick breaks."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        self._raise()

    def _raise(self) -> NoReturn:
        raise self._error


@pytest.mark.parametrize("error", BREAKS, ids=named)
async def test_a_job_that_breaks_every_tick_is_given_back_each_time_and_given_up(
    redis: Redis, error: BaseException
) -> None:
    store = Store(redis, lease_ms=60_000)
    job_id = await submit(store, backfill_job(seed_backfill()))
    driving = await engine(store, Breaking(error))

    for attempts in range(1, 6):
        with pytest.raises(type(error)):
            await driving.tick(job_id)
        assert await redis.hmget(keys.job(job_id), ["att", "lease"]) == [b"%d" % attempts, b"0"]  # type: ignore[misc]
    assert await driving.tick(job_id) is None

    job = await store.load(job_id)
    assert job is not None
    assert job.state == pb.JOB_STATE_FAILED
    assert "5 times in a row" in job.error.message


async def test_a_job_whose_record_is_full_ends_before_it_can_not_be_shown(redis: Redis) -> None:
    store, upstream = Store(redis, lease_ms=60_000), Upstream()
    job = backfill_job(seed_backfill())
    job.backfill.task_parameters = "x" * sizes.END_BYTES
    job_id = await submit(store, job)

    assert await (await engine(store, upstream)).tick(job_id) is None

    ended = await store.load(job_id)
    assert ended is not None and not upstream.calls
    assert ended.state == pb.JOB_STATE_FAILED
    assert "record has" in ended.error.message


class Standing(Upstream):
    """A cloud at which a tick stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        self.reached.set()
        await self.go_on.wait()
        return await super().admit(call, patience_ms=patience_ms)


async def dying(store: Store, deaths: int) -> str:
    """A job whose ticks have died so often."""
    job_id = await submit(store, backfill_job(seed_backfill()))
    for _ in range(deaths):
        taken = await store.begin(job_id)
        assert isinstance(taken, Taken)
        await store.release(job_id, taken.fence, uncount=False)
    return job_id


async def test_jobs_whose_ticks_died_again_and_again_are_not_looked_at_side_by_side(redis: Redis) -> None:
    """Else the innocent would be beside the poisoned each time, since what died together comes again together."""
    store, upstream = Store(redis, lease_ms=60_000), Standing()
    driving = await engine(store, upstream)
    first, second, fresh = [await dying(store, deaths) for deaths in (3, 3, 2)]

    async with asyncio.TaskGroup() as group:
        standing = group.create_task(driving.tick(first))
        await asyncio.wait_for(upstream.reached.wait(), 5)
        assert await driving.tick(second) == SUSPECT_AGAIN_MS
        assert await redis.hmget(keys.job(second), ["att", "lease"]) == [b"3", b"0"]  # type: ignore[misc]
        assert not standing.done()
        upstream.reached.clear()
        others = group.create_task(driving.tick(fresh))  # it died twice: most do that in company
        await asyncio.wait_for(upstream.reached.wait(), 5)
        upstream.go_on.set()
    assert (standing.result(), others.result()) == (None, None)
    assert await driving.tick(second) is None
    assert await redis.hget(keys.job(second), "att") == b"0"  # type: ignore[misc]
