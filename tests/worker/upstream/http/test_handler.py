"""Replies that are broken, endless or not of DataWorks at all, over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.client_proto import ResponseHandler
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from headgate_worker.upstream.http.handler import MAX_INTERIM
from tests.worker.upstream.conftest import MakeClient
from tests.worker.upstream.dataworks.specs import CREATE, GET, SHORT, START, ask, body_of, failure_of
from tests.worker.upstream.scripted_server import PROPER, Seen, Server, always, answer, http, listening, properly


async def test_drip_feed_does_not_outlive_the_deadline(server: Server, client: DataWorks) -> None:
    async def drip(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.behave = drip

    assert failure_of(await ask(client, GET, SHORT)).code == "timed_out"


async def test_drip_of_headers_does_not_outlive_the_deadline(server: Server, client: DataWorks) -> None:
    async def drip(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"a: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    server.behave = drip

    assert failure_of(await ask(client, GET, SHORT)).code == "timed_out"


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nlink: </a>"])
async def test_a_few_interim_replies_are_passed_over(server: Server, client: DataWorks, interim: bytes) -> None:
    server.behave = always(
        MAX_INTERIM * (b"HTTP/1.1 " + interim + b"\r\n\r\n") + answer(**PROPER["GetWorkflowInstance"])
    )

    assert isinstance(await ask(client, GET), calls.Reply)


@pytest.mark.parametrize(("call", "kind"), [(GET, FailureKind.TRANSIENT), (CREATE, FailureKind.AMBIGUOUS)])
@pytest.mark.parametrize("pause", [0.0, 0.01])
async def test_interim_replies_without_end_end_the_call(
    server: Server, client: DataWorks, call: calls.Call, kind: FailureKind, pause: float
) -> None:
    async def drip(seen: Seen, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(pause)

    server.behave = drip
    failure = failure_of(await ask(client, call))

    assert (failure.kind, failure.code) == (kind, "connection_lost")


@pytest.mark.parametrize("head", [b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
async def test_of_a_flood_of_heads_only_the_first_few_are_parsed(
    server: Server, client: DataWorks, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = 0

    def counting(self: ResponseHandler, item: Any, size: int = 0) -> None:
        nonlocal parsed
        parsed += 1
        feed_data(self, item, size)

    feed_data = ResponseHandler.feed_data
    monkeypatch.setattr(ResponseHandler, "feed_data", counting)
    server.behave = always(head * 20_000)

    failure_of(await ask(client, GET))

    assert parsed < 1_000


@pytest.mark.parametrize(("call", "kind"), [(GET, FailureKind.TRANSIENT), (CREATE, FailureKind.AMBIGUOUS)])
async def test_body_without_end_is_not_read_on(
    server: Server, client_of: MakeClient, call: calls.Call, kind: FailureKind
) -> None:
    written = 0

    async def flood(seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await writer.drain()
            written += 65536

    server.behave = flood
    failure = failure_of(await ask(client_of(server, max_reply_bytes=1 << 20), call))

    assert (failure.kind, failure.code) == (kind, "reply_too_large")
    assert written < 32 << 20  # what the sockets between may hold


async def test_body_that_announces_its_size_is_not_read_either(server: Server, client_of: MakeClient) -> None:
    server.behave = always(http(b" " * 2000))

    assert failure_of(await ask(client_of(server, max_reply_bytes=1999), GET)).code == "reply_too_large"
    server.behave = properly
    assert isinstance(await ask(client_of(server, max_reply_bytes=1999), GET), calls.Reply)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compressed_reply_is_read_and_a_bomb_is_not(
    server: Server, client_of: MakeClient, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    client = client_of(server, max_reply_bytes=1 << 20)
    honest = b'{"RequestId":"r","OperationId":"op"}' + b" " * 100_000
    server.behave = always(http(pack(honest), headers={"Content-Encoding": encoding}))
    assert body_of(await ask(client, CREATE), str) == "op"

    server.behave = always(http(pack(b" " * (64 << 20)), headers={"Content-Encoding": encoding}))
    failure = failure_of(await ask(client, CREATE))

    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "reply_too_large")


BROKEN = {
    "cut body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
    "cut chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n500\r\n{",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{",
    "no gzip": http(b"plain", headers={"Content-Encoding": "gzip"}),
    "cut gzip": http(gzip.compress(b" " * 5000)[:-12], headers={"Content-Encoding": "gzip"}),
    "no HTTP": b"220 mail.example ESMTP ready\r\n",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "endless header": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000 + b"\r\n{}",
}


@pytest.mark.parametrize("response", BROKEN.values(), ids=BROKEN.keys())
async def test_broken_reply_counts_as_lost(server: Server, client: DataWorks, response: bytes) -> None:
    async def break_off(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await always(response)(seen, writer)
        writer.close()

    server.behave = break_off

    read, create = await ask(client, GET), await ask(client, CREATE)

    assert failure_of(read).kind is FailureKind.TRANSIENT
    assert failure_of(create).kind is FailureKind.AMBIGUOUS
    assert failure_of(create).code in ("connection_lost", "malformed_reply")
    assert len(server.seen) == 2


async def test_page_of_a_proxy_is_a_malformed_reply(server: Server, client: DataWorks) -> None:
    server.behave = always(http("<html>Bad Gateway</html>", 502, media="text/html; charset=utf-8"))

    failure = failure_of(await ask(client, CREATE))

    assert (failure.kind, failure.code, failure.http_status) == (FailureKind.AMBIGUOUS, "malformed_reply", 502)
    assert "text/html" in failure.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(server: Server, client: DataWorks, status: int) -> None:
    server.behave = always(http(b"", status, headers={"Location": f"{server.url}/elsewhere"}))

    for call in (GET, START, CREATE):
        failure = failure_of(await ask(client, call))
        assert (failure.code, failure.http_status) == ("malformed_reply", status)
    assert [seen.target for seen in server.seen] == ["/?Id=5", "/", "/"]


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"\r\n", b"{}", b"5"]), max_size=6))
def test_whatever_bytes_come_back_there_is_an_outcome(pieces: list[bytes]) -> None:
    async def break_off(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await always(b"".join(pieces))(seen, writer)
        writer.close()

    async def run() -> None:
        async with listening() as server:
            server.behave = break_off
            given = DataWorksSettings(endpoint=server.url, credentials=Credentials("a", "b"))
            async with DataWorks(given) as client:
                assert failure_of(await ask(client, CREATE)).kind is FailureKind.AMBIGUOUS

    asyncio.run(run())
