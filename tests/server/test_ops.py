"""The pages for operators, asked for as monitors do and as nobody should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate_server import ops
from headgate_server.metrics import Metrics


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with ops.serving("127.0.0.1", 0, Metrics(), lambda: "the store is away") as found:
        yield found


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
        (b"POST /healthz HTTP/1.1", "HTTP/1.1 405 Method Not Allowed", b"only GET\n"),
        (b"GET /secrets HTTP/1.1", "HTTP/1.1 404 Not Found", b"no such page\n"),
        (b"nonsense", "HTTP/1.1 400 Bad Request", b"this is not HTTP\n"),
        (b"\xff\xfe \x00 HTTP/1.1", "HTTP/1.1 405 Method Not Allowed", b"only GET\n"),
    ],
)
async def test_each_request_has_its_answer(port: int, request_line: bytes, status: str, body: bytes) -> None:
    assert await said(port, request_line + b"\r\nHost: x\r\n\r\n") == (status, body)


async def test_metrics_are_in_the_format_of_prometheus(port: int) -> None:
    status, body = await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert status == "HTTP/1.1 200 OK"
    assert b"# TYPE headgate_rpc_seconds histogram" in body


async def test_a_request_without_an_end_is_refused_at_its_bound(port: int) -> None:
    status, _ = await said(port, b"GET /" + b"x" * (ops.MAX_HEAD_BYTES * 9))

    assert status == "HTTP/1.1 400 Bad Request"


async def test_a_silent_caller_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "PATIENCE_SECONDS", 0.05)

    assert await said(port, b"GET /healthz") == ("", b"")


async def test_callers_beyond_the_bound_are_turned_away(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "MAX_CONNECTIONS", 0)

    assert await said(port, b"") == ("", b"")
