"""The leased ARQ worker on a real Redis: nothing lost, nothing run by two at once, nothing unpickled."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from headgate.store import keys, queue_entries
from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.queue.leased_worker import Function, LaneOptions, LeasedWorker
from headgate_worker.store.clients import blocking_client
from tests.worker.conftest import eventually

QUEUE = "headgate:test"


@asynccontextmanager
async def lane(
    redis: Redis,
    server: RedisServer,
    functions: dict[str, Function],
    *,
    owner: str = "me",
    kind: type[LeasedWorker] = LeasedWorker,
    **options: float,
) -> AsyncIterator[LeasedWorker]:
    """A lane that runs."""
    blocking = blocking_client(server.url, block_seconds=1.0)
    settings = {"slots": 10, "lease_ms": 1_000, "drain_seconds": 2.0, **options}
    worker = kind(redis, blocking, functions, LaneOptions(QUEUE, **settings), owner)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.main())
        try:
            yield worker
        finally:
            worker.stop()
    await blocking.aclose()


async def put(redis: Redis, entry_id: str, definition: bytes, *, kick: bool = True, delay_ms: int = 0) -> None:
    """An entry, as a commit or a stock ARQ client puts it."""
    now_ms = int(time.time() * 1000)
    await redis.psetex(keys.arq_job(entry_id), 60_000, definition)
    await redis.zadd(QUEUE, {entry_id: now_ms + delay_ms})
    if kick:
        await redis.lpush(keys.kick(QUEUE), entry_id)  # type: ignore[misc]


def definition(name: str, *arguments: object) -> bytes:
    return queue_entries.encode({"t": None, "f": name, "a": list(arguments), "k": {}, "et": 0})


async def idle(redis: Redis) -> bool:
    return bool(await redis.zcard(QUEUE) == 0)


async def nothing() -> None:
    """An entry that does nothing."""


async def test_a_kick_starts_an_entry_at_once(redis: Redis, redis_server: RedisServer) -> None:
    seen: list[str] = []

    async def work(name: str) -> None:
        seen.append(name)

    async with lane(redis, redis_server, {"work": work}, poll_seconds=30.0):
        await put(redis, "e1", definition("work", "one"))
        await eventually(lambda: idle(redis), seconds=5)

    assert seen == ["one"]
    assert await redis.exists(keys.arq_job("e1"), keys.arq_in_progress("e1")) == 0


async def test_an_entry_that_asks_for_it_comes_again(redis: Redis, redis_server: RedisServer) -> None:
    answers: list[int | None] = [50, None]

    async def work() -> int | None:
        return answers.pop(0)

    async with lane(redis, redis_server, {"work": work}, poll_seconds=30.0):
        await put(redis, "e1", definition("work"))
        await eventually(lambda: idle(redis), seconds=5)

    assert answers == []


async def test_a_delayed_entry_starts_without_a_kick(redis: Redis, redis_server: RedisServer) -> None:
    async def work() -> None:
        return None

    async with lane(redis, redis_server, {"work": work}, poll_seconds=0.2):
        await put(redis, "e1", definition("work"), kick=False, delay_ms=300)
        await eventually(lambda: idle(redis), seconds=5)


async def test_a_hostile_pickle_is_never_executed(redis: Redis, redis_server: RedisServer, tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    class Bomb:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return os.mkdir, (str(trap),)

    async with lane(redis, redis_server, {"work": nothing}) as worker:
        await put(redis, "bomb", pickle.dumps({"f": "work", "a": [Bomb()], "k": {}, "t": None, "et": 0}))

        async def put_back() -> bool:
            return not worker.running and bool(await redis.zscore(QUEUE, "bomb"))

        await eventually(put_back)

    assert not trap.exists()


@pytest.mark.parametrize("raw", [definition("newer"), b"[]", b"{}", b'{"f": 1, "a": 2}', b"\xff\xfe"])
async def test_what_is_not_understood_is_put_back(redis: Redis, redis_server: RedisServer, raw: bytes) -> None:
    async with lane(redis, redis_server, {"work": nothing}):
        await put(redis, "e1", raw)

        async def put_back() -> bool:
            return await redis.exists(keys.arq_in_progress("e1")) == 0 and (await redis.zscore(QUEUE, "e1") or 0) > (
                time.time() * 1000
            )

        await eventually(put_back)

    assert await redis.get(keys.arq_job("e1")) == raw


async def test_a_running_entry_is_renewed_and_not_run_twice(redis: Redis, redis_server: RedisServer) -> None:
    runs: list[str] = []
    release = asyncio.Event()

    async def work() -> None:
        runs.append("x")
        await release.wait()

    async with (
        lane(redis, redis_server, {"work": work}, owner="a", lease_ms=300, poll_seconds=0.1),
        lane(redis, redis_server, {"work": work}, owner="b", lease_ms=300, poll_seconds=0.1),
    ):
        await put(redis, "e1", definition("work"))
        await asyncio.sleep(1.2)  # four leases: what is watched is that nothing happens
        release.set()
        await eventually(lambda: idle(redis))

    assert runs == ["x"]


async def test_a_lost_lease_cuts_the_entry_off_and_leaves_the_successor_alone(
    redis: Redis, redis_server: RedisServer
) -> None:
    cut = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.set()
            raise

    async with lane(redis, redis_server, {"work": work}, lease_ms=300) as worker:
        await put(redis, "e1", definition("work"))

        async def runs() -> bool:
            return bool(worker.running)

        await eventually(runs)
        await redis.set(keys.arq_in_progress("e1"), "successor")
        async with asyncio.timeout(5):
            await cut.wait()

    assert await redis.get(keys.arq_in_progress("e1")) == b"successor"
    assert await redis.exists(keys.arq_job("e1")) == 1


class SlowToHear(LeasedWorker):
    """Hears of the end of a claim a renewal later than it was recorded."""

    async def _end_claim(self, entry_id: str, put_back_ms: int | None) -> None:
        await super()._end_claim(entry_id, put_back_ms)
        await asyncio.sleep(0.8)


async def test_a_renewal_that_comes_after_the_end_finds_nothing_lost(
    redis: Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with lane(redis, redis_server, {"work": nothing}, kind=SlowToHear) as worker:
        await put(redis, "e1", definition("work"))

        async def ended() -> bool:
            return worker.jobs_complete == 1 and not worker.running

        await eventually(ended)

    assert not [record for record in caplog.records if "taken over" in record.message]


async def test_a_drain_lets_entries_end_and_puts_late_ones_back(redis: Redis, redis_server: RedisServer) -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.sleep(60)

    async with lane(redis, redis_server, {"work": work}, drain_seconds=0.1):
        await put(redis, "e1", definition("work"))
        await started.wait()

    assert await redis.exists(keys.arq_in_progress("e1")) == 0
    score = await redis.zscore(QUEUE, "e1")
    assert score is not None
    assert score <= time.time() * 1000 + 1_000


async def test_slots_bound_what_runs_and_all_of_it_runs(redis: Redis, redis_server: RedisServer) -> None:
    most, now, done = 0, 0, 0

    async def work() -> None:
        nonlocal most, now, done
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        done += 1

    async with lane(redis, redis_server, {"work": work}, slots=7):
        for number in range(200):
            await put(redis, f"e{number}", definition("work"))
        await eventually(lambda: idle(redis))

    assert done == 200
    assert most <= 7


async def test_redis_may_go_and_come_back(redis: Redis, redis_server: RedisServer) -> None:
    seen: list[str] = []

    async def work(name: str) -> None:
        seen.append(name)

    async with lane(redis, redis_server, {"work": work}, poll_seconds=0.1) as worker:
        await redis_server.kill()
        await redis_server.start()
        await eventually(lambda: _ping(redis))
        await put(redis, "e1", definition("work", "after"))
        await eventually(lambda: idle(redis))
        await eventually(lambda: has_none(worker.running))

    assert seen == ["after"]


async def has_none(running: Mapping[str, object]) -> bool:
    """Whether no entry runs: one that is off the queue may still be on its way out."""
    return not running


async def _ping(redis: Redis) -> bool:
    try:
        return bool(await redis.ping())
    except OSError:
        return False
    except Exception as error:
        if type(error).__module__.startswith("redis"):
            return False
        raise


async def test_entries_of_a_newer_version_are_left_to_the_worker_that_understands_them(
    redis: Redis, redis_server: RedisServer
) -> None:
    done: list[str] = []

    async def newer(name: str) -> None:
        done.append(name)

    names = [f"n{number}" for number in range(120)]
    async with lane(redis, redis_server, {"old": nothing}, owner="older", slots=100) as older:
        for name in names:
            await put(redis, f"newer:{name}", definition("newer", name))
        await put(redis, "old:1", definition("old"))
        await eventually(lambda: is_done(older, 1))
        async with lane(redis, redis_server, {"newer": newer}, owner="newer", slots=10):
            await eventually(lambda: idle(redis), seconds=15)

    assert sorted(done) == sorted(names)


async def is_done(worker: LeasedWorker, count: int) -> bool:
    return worker.jobs_complete >= count


async def test_an_entry_whose_claim_ends_in_a_moment_waits_for_that_and_not_for_a_lease(
    redis: Redis, redis_server: RedisServer
) -> None:
    await put(redis, "held:1", definition("work"))
    await redis.set(keys.arq_in_progress("held:1"), "dead", px=300)  # due already, as by a clock that is a little ahead
    began = time.monotonic()
    async with lane(redis, redis_server, {"work": nothing}, lease_ms=5_000):
        await eventually(lambda: idle(redis))

    assert time.monotonic() - began < 2.0


async def test_an_entry_that_is_withdrawn_is_cut_off_long_before_its_lease_ends(
    redis: Redis, redis_server: RedisServer
) -> None:
    cut, started = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            started.set()
            await asyncio.sleep(60)
        finally:
            cut.set()

    async with lane(redis, redis_server, {"work": work}, lease_ms=30_000, withdraw_ms=50) as worker:
        await put(redis, "e1", definition("work"))
        await started.wait()
        await redis.zrem(QUEUE, "e1")
        await redis.delete(keys.arq_job("e1"), keys.arq_in_progress("e1"))
        async with asyncio.timeout(5):
            await cut.wait()

        async def free() -> bool:
            return not worker.running

        await eventually(free)

    assert await redis.keys("*e1*") == []


async def test_an_entry_whose_id_is_no_text_holds_nobody_up(redis: Redis, redis_server: RedisServer) -> None:
    seen: list[str] = []

    async def work(name: str) -> None:
        seen.append(name)

    await redis.zadd(QUEUE, {b"\xff\xfe": 1})
    await redis.set(b"arq:job:\xff\xfe", b"nonsense")
    async with lane(redis, redis_server, {"work": work}):
        for name in ("one", "two"):
            await put(redis, name, definition("work", name))

        async def both_ran() -> bool:
            return seen == ["one", "two"] or seen == ["two", "one"]

        await eventually(both_ran, seconds=10)
