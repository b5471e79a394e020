"""Many callers on one connection to a real Redis: answers in order, losses told, nothing repeated."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import ResponseError

from headgate_cli.dev.redis_server import RedisServer
from headgate_redis import pipeline
from headgate_redis.cpu_load import CpuLoad
from headgate_redis.pipeline import Pipeline, PipelineFull, ReplyLost


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    async with RedisServer() as running:
        yield running


@asynccontextmanager
async def piped(
    server: RedisServer | str, groups: list[int] | None = None, seconds: float = 5.0, depth: int = 1
) -> AsyncIterator[Pipeline]:
    """A pipe that runs; the sizes of its groups go into the list."""
    pool = ConnectionPool.from_url(server if isinstance(server, str) else server.url)
    on_group = (groups if groups is not None else []).append
    made = Pipeline(pool.make_connection, timeout=seconds, depth=depth, on_group=on_group)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def kill_others(server: RedisServer) -> None:
    """Close every connection of others."""
    async with Redis.from_url(server.url) as other:
        command: Any = other.execute_command
        await command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


async def test_calls_of_many_go_together_and_each_gets_its_own_answer(server: RedisServer) -> None:
    groups: list[int] = []
    async with piped(server, groups) as made:
        answers = await asyncio.gather(*(made.call(("ECHO", str(number))) for number in range(200)))

    assert answers == [str(number).encode() for number in range(200)]
    assert sum(groups) == 200
    assert len(groups) < 50
    assert max(groups) <= pipeline.MAX_GROUP


async def test_commands_of_one_call_stay_together_and_the_last_answer_counts(server: RedisServer) -> None:
    async with piped(server) as made:
        found = await made.call(("MULTI",), ("INCR", "n"), ("INCRBYFLOAT", "m", 0.5), ("EXEC",))

    assert found == [1, b"0.5"]


async def test_a_refusal_is_told_to_its_caller_only(server: RedisServer) -> None:
    async with piped(server) as made:
        found = await asyncio.gather(made.call(("PING",)), made.call(("NO",)), return_exceptions=True)

    assert found[0] == b"PONG"
    assert isinstance(found[1], ResponseError)


async def test_a_cut_connection_loses_what_was_under_way_and_the_next_call_has_a_new_one(server: RedisServer) -> None:
    async with piped(server) as made:
        waiting = asyncio.create_task(made.call(("BLPOP", "never", 30)))
        while not await blocked(server):
            await asyncio.sleep(0.01)
        await kill_others(server)
        with pytest.raises(ReplyLost):
            await waiting

        assert await made.call(("PING",)) == b"PONG"


async def blocked(server: RedisServer) -> bool:
    """Whether somebody waits in a blocking command."""
    async with Redis.from_url(server.url) as other:
        return bool((await other.info("clients"))["blocked_clients"])


async def test_a_connection_that_died_while_it_was_idle_costs_no_call(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "IDLE_SECONDS", 0.0)
    async with piped(server) as made:
        assert await made.call(("PING",)) == b"PONG"
        await kill_others(server)

        assert await made.call(("PING",)) == b"PONG"


async def test_a_group_that_takes_too_long_is_lost(server: RedisServer) -> None:
    async with piped(server, seconds=0.2) as made:
        with pytest.raises(ReplyLost):
            await made.call(("BLPOP", "never", 30))


async def test_a_group_is_lost_whole_also_when_its_first_calls_were_answered(server: RedisServer) -> None:
    async with piped(server, seconds=0.2) as made:
        found = await asyncio.gather(
            *(made.call(command) for command in (("PING",), ("ECHO", "a"), ("BLPOP", "never", 30), ("PING",))),
            return_exceptions=True,
        )

        assert found[:2] == [b"PONG", b"a"]
        assert [type(lost) for lost in found[2:]] == [ReplyLost, ReplyLost]
        assert await made.call(("PING",)) == b"PONG"


async def test_a_deep_pipe_sends_a_group_while_one_is_under_way(server: RedisServer) -> None:
    groups: list[int] = []
    async with piped(server, groups, depth=2) as made:
        waiting = asyncio.create_task(made.call(("BLPOP", "later", 30)))
        while not await blocked(server):
            await asyncio.sleep(0.01)
        behind = [asyncio.create_task(made.call(("ECHO", str(number)))) for number in range(2)]
        while len(groups) < 2:
            await asyncio.sleep(0.01)
        third = asyncio.create_task(made.call(("PING",)))
        async with Redis.from_url(server.url) as other:
            await other.rpush("later", "now")

        assert await asyncio.gather(waiting, *behind, third) == [[b"later", b"now"], b"0", b"1", b"PONG"]
    assert groups == [1, 2, 1]


async def test_every_group_under_way_is_lost_with_its_connection(server: RedisServer) -> None:
    groups: list[int] = []
    async with piped(server, groups, depth=2) as made:
        waiting = [asyncio.create_task(made.call(("BLPOP", "never", 30)))]
        while not await blocked(server):
            await asyncio.sleep(0.01)
        waiting.append(asyncio.create_task(made.call(("PING",))))
        while len(groups) < 2:
            await asyncio.sleep(0.01)
        await kill_others(server)
        found = await asyncio.gather(*waiting, return_exceptions=True)

        assert [type(lost) for lost in found] == [ReplyLost, ReplyLost]
        assert await made.call(("PING",)) == b"PONG"


async def test_calls_that_wait_end_when_no_store_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with piped(f"redis://127.0.0.1:{port}/0") as made:
        found = await asyncio.gather(*(made.call(("PING",)) for _ in range(3)), return_exceptions=True)

    assert {type(lost) for lost in found} == {ReplyLost}


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[str]:
    """A server that greets redis-py and then says something else to each command; its URL."""
    later = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65_536):
            greetings = said.count(b"SETINFO")
            writer.write(b"+OK\r\n" * greetings if greetings else next(later))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", ReplyLost, id="another protocol"),
        pytest.param(b"-LOADING Redis is loading the dataset in memory\r\n", ReplyLost, id="not ready"),
        pytest.param(b"-READONLY You can't write against a read only replica.\r\n", ReplyLost, id="demoted"),
        pytest.param(b"+PONG\r\n+PONG\r\n+PONG\r\n", bytes, id="more answers than calls"),
    ],
)
async def test_a_connection_that_is_of_no_use_is_left(answer: bytes, told: type[object]) -> None:
    async with answering(answer, b"+PONG\r\n") as url, piped(url) as made:
        found = await asyncio.gather(made.call(("PING",)), made.call(("PING",)), return_exceptions=True)

        assert [type(one) for one in found] == [told, told]
        assert await made.call(("PING",)) == b"PONG"


async def test_calls_are_told_when_the_pipe_ends(server: RedisServer) -> None:
    async with piped(server) as made:
        waiting = [asyncio.create_task(made.call(("BLPOP", "never", 30)))]
        while not await blocked(server):
            await asyncio.sleep(0.01)
        waiting.append(asyncio.create_task(made.call(("PING",))))
        await asyncio.sleep(0)
    found = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(lost) for lost in found] == [ReplyLost, ReplyLost]


async def test_more_callers_than_may_wait_are_refused_before_anything_is_sent(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MAX_WAITING", 2)
    async with piped(server) as made:
        found = await asyncio.gather(*(made.call(("INCR", "n")) for _ in range(3)), return_exceptions=True)

        assert found[:2] == [1, 2]
        assert isinstance(found[2], PipelineFull)
        assert await made.call(("GET", "n")) == b"2"


def test_a_process_that_takes_a_whole_core_has_none_to_spare() -> None:
    now, spent = 100.0, 5.0
    load = CpuLoad(lambda: spent, lambda: now)

    seen = []
    for passed, taken in ((0.2, 0.19), (0.001, 0.0), (0.2, 0.1), (0.001, 0.001), (0.2, 0.2)):
        now, spent = now + passed, spent + taken
        seen.append((load.look(), load.high))

    # What is younger than a look is not looked at.
    assert seen == [(True, True), (False, True), (True, False), (False, False), (True, True)]
