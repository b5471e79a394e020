"""The load generator and the floor do real work: calls arrive, and answers that are none are not counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import grpc
import pytest
from bench.floor.echo import PATH as ECHO
from bench.load.bodies import PAYLOAD, bodies
from bench.load.http2 import CallRefused, Http2Connection, frame, header_blocks
from bench.load.unary import Loop, measure

from headgate import pb


def test_a_frame_is_as_http2_says() -> None:
    assert frame(8, 0, 3, b"\0\0\0\1") == b"\0\0\4\10\0\0\0\0\3\0\0\0\1"


def test_later_header_blocks_point_at_the_words_of_the_first() -> None:
    first, later = header_blocks("/a.B/C", "127.0.0.1:1")

    assert b"/a.B/C" in first
    assert later == b"\x83\x86" + bytes(range(0x80 | 67, (0x80 | 62) - 1, -1))


def test_submits_are_valid_and_all_different() -> None:
    requests = [pb.CreateBackfillRequest.FromString(raw) for raw in islice(bodies("submit", "r"), 3)]

    assert len({request.request_id for request in requests}) == 3
    assert len({request.spec.default_run_properties.root_task_ids[0] for request in requests}) == 3


@pytest.fixture
async def served() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that echoes, and refuses the word "no"; its port, and what it got."""
    got: list[bytes] = []

    async def echo(request: bytes, context: Any) -> bytes:
        got.append(request)
        if request == b"no":
            await context.abort(grpc.StatusCode.INTERNAL, "no")
        return request

    async def thrice(request: bytes, _context: Any) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield request * 100_000

    server = grpc.aio.server()
    methods: dict[str, Any] = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Thrice": grpc.unary_stream_rpc_method_handler(thrice),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Floor", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port, got
    await server.stop(None)


def ask(port: int, path: str, body: bytes, ends: int = 1) -> list[bytes]:
    messages: list[bytes] = []
    ended: list[int] = []
    connection = Http2Connection(
        "127.0.0.1", port, path, on_message=lambda _, m: messages.append(m), on_end=ended.append
    )
    try:
        for _ in range(ends):
            connection.call(body)
        while len(ended) < ends:
            connection.receive()
    finally:
        connection.close()
    return messages


async def test_calls_arrive_and_come_back(served: tuple[int, list[bytes]]) -> None:
    assert await asyncio.to_thread(ask, served[0], ECHO, PAYLOAD, 5) == [PAYLOAD] * 5
    assert served[1] == [PAYLOAD] * 5


async def test_messages_of_a_stream_are_told_apart(served: tuple[int, list[bytes]]) -> None:
    assert await asyncio.to_thread(ask, served[0], "/bench.Floor/Thrice", b"x") == [b"x" * 100_000] * 3


async def test_a_call_that_fails_is_not_counted(served: tuple[int, list[bytes]]) -> None:
    with pytest.raises(CallRefused, match="a call failed"):
        await asyncio.to_thread(ask, served[0], ECHO, b"no")


async def test_the_loop_counts_what_the_server_got(served: tuple[int, list[bytes]]) -> None:
    loop = Loop(served[0], ECHO, "payload", in_flight=4, connections=2, seconds=0.05, warm_up=0.02)
    seen = await asyncio.to_thread(measure, loop)

    assert 0 < seen.calls <= len(served[1]) <= seen.calls + 4
    assert seen.rate > 0 and seen.p99_ms >= seen.p50_ms > 0
