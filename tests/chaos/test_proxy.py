"""The proxy cuts where it says, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from bench.chaos.proxy import Proxy, Side, TokenCut


@pytest.fixture
async def echo() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each line with itself, and what it was sent."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            got.append(line)
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], got


async def ask(port: int, *lines: bytes) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    try:
        for line in lines:
            writer.write(line + b"\n")
            async with asyncio.timeout(5):
                answers.append(await reader.readline())
    except ConnectionResetError:
        answers.append(b"reset")
    finally:
        writer.transport.abort()
    return answers


async def test_bytes_pass_both_ways(echo: tuple[int, list[bytes]]) -> None:
    async with Proxy(echo[0]) as proxy:
        assert await ask(proxy.port, b"a", b"b") == [b"a\n", b"b\n"]


async def test_cut_before_means_that_the_token_never_arrives(echo: tuple[int, list[bytes]]) -> None:
    async with Proxy(echo[0]) as proxy:
        proxy.cut = TokenCut(b"token", Side.BEFORE)
        answers = await ask(proxy.port, b"first", b"the token", b"after")

    assert answers[0] == b"first\n"
    assert answers[1] in (b"", b"reset")
    assert echo[1] == [b"first\n"]


async def test_cut_after_means_that_it_arrives_and_the_answer_does_not(echo: tuple[int, list[bytes]]) -> None:
    async with Proxy(echo[0]) as proxy:
        proxy.cut = TokenCut(b"token", Side.AFTER)
        answers = await ask(proxy.port, b"first", b"the token")

    assert answers[1] in (b"", b"reset")
    assert echo[1] == [b"first\n", b"the token\n"]


async def test_an_answer_that_is_not_confirmed_is_passed_on(echo: tuple[int, list[bytes]]) -> None:
    async with Proxy(echo[0]) as proxy:
        proxy.cut = cut = TokenCut(b"token", Side.AFTER, struck=lambda reply: False)
        assert await ask(proxy.port, b"token", b"more") == [b"token\n", b"more\n"]

    assert cut.done == 0


async def test_cut_all_resets_every_connection(echo: tuple[int, list[bytes]]) -> None:
    async with Proxy(echo[0]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"a\n")
        assert await reader.readline() == b"a\n"
        proxy.cut_all()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.transport.abort()
        assert proxy.cuts == 1


@pytest.mark.parametrize(("every", "struck"), [(1, [1, 1, 1, 1]), (2, [0, 1, 0, 1]), (3, [0, 0, 1, 0])])
def test_every_nth_occurrence_is_struck(every: int, struck: list[int]) -> None:
    cut = TokenCut(b"ab", Side.AFTER, every=every)

    assert [int(cut.strikes(b"-ab-", 0)) for _ in range(4)] == struck


def test_other_tokens_count_as_well() -> None:
    cut = TokenCut(b"ab", Side.AFTER, every=2, others=(b"cd",))

    assert [cut.strikes(window, 0) for window in (b"-ab-", b"-ef-", b"-cd-", b"-cd-ab-")] == [False, False, True, True]


def test_a_token_split_between_chunks_is_seen_once() -> None:
    cut = TokenCut(b"abc", Side.AFTER)

    assert not cut.strikes(b"xxab", 0)
    assert cut.strikes(b"ab" + b"cxx", 2)
    assert cut.seen == 1


def test_no_more_than_count_are_struck() -> None:
    cut = TokenCut(b"a", Side.AFTER, count=1)

    assert [cut.strikes(b"a", 0) for _ in range(3)] == [True, False, False]
