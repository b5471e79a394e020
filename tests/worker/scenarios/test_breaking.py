"""What breaks one tick, or one turn of a lane's own work, ends neither the worker nor what runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.queue.leased_worker import LaneOptions, LeasedWorker
from headgate_worker.store.clients import blocking_client
from tests.worker.conftest import eventually
from tests.worker.queue.test_leased_worker import QUEUE, definition, idle, lane, put

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
