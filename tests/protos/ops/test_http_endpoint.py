"""The pages for operators, asked for as monitors do and as nobody should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from headgate_ops import http_endpoint
from headgate_server.process.metrics import Metrics

LARGE = 12_000_000


async def away() -> str:
    return "the store is away"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    pages = http_endpoint.pages(away, Metrics().page)
    async with http_endpoint.serving("127.0.0.1", 0, {**pages, "/large": large, "/broken": broken}) as found:
        yield found


async def large() -> http_endpoint.HttpPage:
    return http_endpoint.HttpPage(b"x" * LARGE)


async def broken() -> http_endpoint.HttpPage:
    raise RuntimeError


async def said(port: int, request: bytes) -> tuple[str, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(10):
        raw = await reader.read()
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        (b"GET /healthz HTTP/1.1", "HTTP/1.1 200 OK", b"ok\n"),
        (b"GET /healthz?x=1 HTTP/1.0", "HTTP/1.1 200 OK", b"ok\n"),
        (b"GET /readyz HTTP/1.1", "HTTP/1.1 503 Service Unavailable", b"the store is away\n"),
        (b"POST /healthz HTTP/1.1", "HTTP/1.1 405 Method Not Allowed", b"only GET and HEAD\n"),
        (b"GET /secrets HTTP/1.1", "HTTP/1.1 404 Not Found", b"no such page\n"),
        (b"nonsense", "HTTP/1.1 400 Bad Request", b"this is not HTTP\n"),
        (b"\xff\xfe \x00 HTTP/1.1", "HTTP/1.1 405 Method Not Allowed", b"only GET and HEAD\n"),
    ],
)
async def test_each_request_has_its_answer(port: int, request_line: bytes, status: str, body: bytes) -> None:
    assert await said(port, request_line + b"\r\nHost: x\r\n\r\n") == (status, body)


async def test_metrics_are_in_the_format_of_prometheus(port: int) -> None:
    status, body = await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert status == "HTTP/1.1 200 OK"
    assert b"# TYPE headgate_rpc_seconds histogram" in body


async def test_the_head_of_a_page_has_no_body(port: int) -> None:
    assert await said(port, b"HEAD /healthz HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", b"")


async def test_a_page_that_breaks_is_told_without_its_reason(port: int) -> None:
    status, body = await said(port, b"GET /broken HTTP/1.1\r\n\r\n")

    assert (status, body) == ("HTTP/1.1 500 Internal Server Error", b"this page can't be made\n")


@pytest.mark.parametrize("head", [b"GET /" + b"x" * 80_000, b"GET / HTTP/1.1\r\n" + b"X-Long: y\r\n" * 8_000])
async def test_a_request_that_is_too_long_is_refused_and_the_answer_arrives(port: int, head: bytes) -> None:
    status, _ = await said(port, head)

    assert status == "HTTP/1.1 431 Request Header Fields Too Large"


async def test_of_pipelined_requests_the_first_is_answered(port: int) -> None:
    request = b"GET /healthz HTTP/1.1\r\n\r\n"

    assert await said(port, request * 2_000) == ("HTTP/1.1 200 OK", b"ok\n")


async def test_a_silent_caller_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_endpoint, "REQUEST_SECONDS", 0.05)

    assert await said(port, b"GET /healthz") == ("", b"")


async def test_idle_sockets_keep_no_probe_out(port: int) -> None:
    """Three hundred, three times as many as are kept open."""
    async with opened(port, 300) as idle:
        for _ in range(3):
            assert await said(port, b"GET /healthz HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", b"ok\n")
        async with asyncio.timeout(10):
            assert await idle[0][0].read() == b"", "the oldest is given up"
        idle[-1][1].write(b"GET /healthz HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(10):
            assert (await idle[-1][0].read()).endswith(b"ok\n"), "the youngest is kept"


async def test_slow_readers_keep_no_probe_out(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_endpoint, "MAX_CONNECTIONS", 10)
    async with opened(port, 15) as slow:
        for _, writer in slow:
            writer.write(b"GET /large HTTP/1.1\r\n\r\n")
        for _ in range(3):
            assert await said(port, b"GET /healthz HTTP/1.1\r\n\r\n") == ("HTTP/1.1 200 OK", b"ok\n")


async def test_a_slow_reader_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_endpoint, "REQUEST_SECONDS", 0.1)
    async with opened(port, 1) as [(reader, writer)]:
        writer.write(b"GET /large HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.3)
        async with asyncio.timeout(10):
            assert await rest(reader) < LARGE


async def test_a_client_that_never_closes_is_let_go_after_its_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_endpoint, "LINGER_SECONDS", 0.05)
    async with opened(port, 1) as [(reader, writer)]:
        writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(10):
            await reader.read()
            with pytest.raises(OSError):
                while True:
                    writer.write(b"more")
                    await writer.drain()
                    await asyncio.sleep(0.01)


async def rest(reader: asyncio.StreamReader) -> int:
    """How much there is until the end, however it comes."""
    size = 0
    try:
        while part := await reader.read(1 << 16):
            size += len(part)
    except ConnectionResetError:
        pass
    return size


@asynccontextmanager
async def opened(port: int, count: int) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """So many connections that say nothing."""
    found = [await asyncio.open_connection("127.0.0.1", port, limit=1 << 12) for _ in range(count)]
    try:
        yield found
    finally:
        for _, writer in found:
            writer.transport.abort()
