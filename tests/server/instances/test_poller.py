"""Watched instances: one look for all watchers, one read for all servers."""

import asyncio
from contextlib import AsyncExitStack

from headgate.store import keys
from tests.server.instance_rows import RUNNING, SUCCESS, Upstream, answering, rest, rows
from tests.server.instances.conftest import QUICK, watch
from tests.server.world import World, serving, until


async def watched_by(world: World, upstream: Upstream, count: int) -> float:
    """How often an instance is read within the shortest interval, while so many watch it."""
    upstream.set(5)
    await world.redis.flushall()
    began = asyncio.get_running_loop().time()
    before = upstream.reads[5]
    calls = [watch(world, 5) for _ in range(count)]
    await asyncio.gather(*(rows(call, 1) for call in calls))
    await until(lambda: upstream.reads[5] >= before + 6)
    found = (upstream.reads[5] - before - 1) * QUICK["watch_poll_min"] / (asyncio.get_running_loop().time() - began)
    for call in calls:
        call.cancel()
    return float(found)


async def test_two_hundred_watchers_cost_as_many_reads_as_one(quick: World, upstream: Upstream) -> None:
    alone = await watched_by(quick, upstream, 1)

    together = await watched_by(quick, upstream, 200)

    assert 0 < alone <= 1.05 and 0 < together <= 1.05, f"{alone} reads an interval for one watcher, {together} for 200"


async def test_servers_share_one_read(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        worlds = [await stack.enter_async_context(serving(redis_url, **QUICK)) for _ in range(4)]
        upstream = await stack.enter_async_context(answering(worlds[0].redis))
        upstream.set(5)
        upstream.delay = 0.05
        calls = [watch(world, 5) for world in worlds for _ in range(5)]
        await asyncio.gather(*(rows(call, 1) for call in calls))
        first, began = upstream.reads[5], asyncio.get_running_loop().time()
        assert first <= 2, "one, or two where the machine was slow to tell all of the first"
        await until(lambda: upstream.reads[5] >= first + 5)
        assert asyncio.get_running_loop().time() - began >= 4 * QUICK["watch_poll_min"]

        upstream.set(5, SUCCESS)
        assert {tuple(found) for found in await asyncio.gather(*(rows(call, 1) for call in calls))} == {((5, SUCCESS),)}
        for call in calls:
            call.cancel()


async def test_without_a_watcher_there_is_no_read(quick: World, upstream: Upstream) -> None:
    upstream.set(5)
    call = watch(quick, 5)
    await rows(call, 1)
    call.cancel()
    await until(lambda: _is_idle(quick))
    before = upstream.reads[5]

    began = asyncio.get_running_loop().time()
    await until(lambda: asyncio.get_running_loop().time() - began > 0.8)

    assert upstream.reads[5] == before


async def _is_idle(world: World) -> bool:
    return "headgate_watched_instances 0.0" in await _metrics(world)


async def _metrics(world: World) -> str:
    from aiohttp import ClientSession

    async with ClientSession() as session, session.get(f"{world.ops}/metrics") as answer:
        return await answer.text()


async def test_the_reads_of_a_job_are_enough(redis_url: str) -> None:
    async with serving(redis_url) as world, answering(world.redis) as upstream:
        upstream.set(5)
        await upstream.observe(5, follow_ms=60_000, age_ms=10_000)
        calls = [watch(world, 5, until_terminal=True) for _ in range(20)]
        await asyncio.gather(*(rows(call, 1) for call in calls))

        upstream.set(5, SUCCESS)
        await upstream.observe(5, follow_ms=1)

        ends = await asyncio.gather(*(rest(call) for call in calls))
    told = {message.WhichOneof("payload") for messages in ends for message in messages}
    assert told == {"workflow_instance", "end"}
    assert upstream.reads[5] == 0


async def test_when_its_job_is_gone_an_instance_is_read_again(quick: World, upstream: Upstream) -> None:
    upstream.set(5)
    await upstream.observe(5, follow_ms=300)
    call = watch(quick, 5)
    await rows(call, 1)

    upstream.set(5, SUCCESS)

    assert await rows(call, 1) == [(5, SUCCESS)]
    call.cancel()


async def test_a_server_that_dies_while_it_reads_is_succeeded(redis_url: str) -> None:
    async with serving(redis_url, read_timeout=0.3, **QUICK) as world, answering(world.redis) as upstream:
        upstream.set(5)
        await world.redis.set(keys.look("", 5), keys.LOOK_WATCHERS, px=500)  # it will never answer
        call = watch(world, 5)

        assert await rows(call, 1) == [(5, RUNNING)]
        call.cancel()
