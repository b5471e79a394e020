"""What the connections do, seen from a server that behaves badly."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dataworks.conftest import MakeClient
from tests.dataworks.server import PROPER, Seen, Server, always, answer, http, listening, properly, refusal
from tests.dataworks.specs import adhoc_spec, body_of, failure_of, seed_spec

from headgate import pb
from headgate_worker.core import calls
from headgate_worker.core.calls import FailureKind
from headgate_worker.dataworks.client import DataWorks
from headgate_worker.dataworks.settings import Credentials, DataWorksSettings

SECONDS = 10.0
SHORT = 0.5
"""Deadline of calls that must run into it."""

GET, START = calls.GetInstance(5), calls.StartInstances((5,))
CREATE, ADHOC = calls.CreateInstances(seed_spec()), calls.ExecuteAdhoc(adhoc_spec())
RERUN = calls.RerunInstances(pb.RerunWorkflowInstancesSpec(project_id=1, workflow_id=2))


async def hang_up(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def say_nothing(seen: Seen, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def ask(client: DataWorks, call: calls.Call, seconds: float = SECONDS) -> calls.Outcome:
    return await client.call(call, timeout_seconds=seconds)


async def test_repeatable_calls_share_a_connection(server: Server, client: DataWorks) -> None:
    for call in (GET, START, GET, calls.StopInstances((5,))):
        assert isinstance(await ask(client, call), calls.Reply)

    assert [seen.connection for seen in server.seen] == [1, 1, 1, 1]


async def test_calls_that_may_not_be_repeated_have_a_connection_of_their_own(server: Server, client: DataWorks) -> None:
    for call in (GET, CREATE, ADHOC, RERUN, CREATE, GET):
        assert isinstance(await ask(client, call), calls.Reply)

    assert [seen.connection for seen in server.seen] == [1, 2, 3, 4, 5, 1]
    assert [seen.headers.get("connection") for seen in server.seen] == [None, *["close"] * 4, None]


async def test_many_calls_at_once_share_few_connections(server: Server, client_of: MakeClient) -> None:
    client = client_of(server, max_connections=8)
    waiting: list[asyncio.Event] = []

    async def in_a_rush(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) <= 8:
            waiting.append(asyncio.Event())
            if len(waiting) == 8:  # only with eight connections open at once does any call get its answer
                for event in waiting:
                    event.set()
            await waiting[-1].wait()
        await properly(seen, writer)

    server.behave = in_a_rush
    for _ in range(2):
        outcomes = await asyncio.gather(*(ask(client, GET) for _ in range(32)))
        assert all(isinstance(outcome, calls.Reply) for outcome in outcomes)

    assert len(server.seen) == 64
    assert server.connections == 8


async def test_idle_connection_that_the_server_closed_is_not_used_again(server: Server, client: DataWorks) -> None:
    async def answer_and_close(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await properly(seen, writer)
        writer.write_eof()

    server.behave = answer_and_close
    for number in (1, 2, 3):
        assert isinstance(await ask(client, GET), calls.Reply)
        async with asyncio.timeout(SECONDS):
            await server.gone.wait()
        assert server.connections == number


async def test_read_on_a_connection_that_just_died_is_sent_once(server: Server, client: DataWorks) -> None:
    assert isinstance(await ask(client, GET), calls.Reply)
    server.behave = hang_up

    failure = failure_of(await ask(client, GET))

    assert (failure.kind, failure.code) == (FailureKind.TRANSIENT, "connection_lost")
    assert [seen.connection for seen in server.seen] == [1, 1]


async def test_start_on_a_connection_that_just_died_may_be_sent_again(server: Server, client: DataWorks) -> None:
    assert isinstance(await ask(client, START), calls.Reply)
    server.behave = hang_up

    assert failure_of(await ask(client, START)).kind is FailureKind.TRANSIENT
    server.behave = properly
    assert isinstance(await ask(client, START), calls.Reply)
    assert len(server.seen) == 3


@pytest.mark.parametrize("call", [CREATE, ADHOC, RERUN])
async def test_lost_reply_leaves_a_call_that_may_not_be_repeated_ambiguous(
    server: Server, client: DataWorks, call: calls.Call
) -> None:
    server.behave = hang_up

    failure = failure_of(await ask(client, call))

    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "connection_lost")
    assert len(server.seen) == 1


async def test_silent_server_runs_into_the_deadline(server: Server, client: DataWorks) -> None:
    server.behave = say_nothing

    read, create = await asyncio.gather(ask(client, GET, SHORT), ask(client, CREATE, SHORT))

    assert (failure_of(read).kind, failure_of(read).code) == (FailureKind.TRANSIENT, "timed_out")
    assert (failure_of(create).kind, failure_of(create).code) == (FailureKind.AMBIGUOUS, "timed_out")


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
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.behave = drip

    assert failure_of(await ask(client, GET, SHORT)).code == "timed_out"


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


async def test_cookies_are_not_kept(server: Server, client: DataWorks) -> None:
    cookie = {"Set-Cookie": "a=b; Path=/", "Content-Type": "application/json"}
    server.behave = always(http({"RequestId": "r", **PROPER["GetWorkflowInstance"]}, headers=cookie))

    await ask(client, GET)
    await ask(client, GET)

    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


async def test_proxy_of_the_environment_is_not_used(
    server: Server, client: DataWorks, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert isinstance(await ask(client, GET), calls.Reply)


async def test_wait_that_the_gateway_asks_for_is_read_from_its_header(server: Server, client: DataWorks) -> None:
    server.behave = always(refusal("Throttling.User", 429, x_acs_retry_after="2500"))

    failure = failure_of(await ask(client, CREATE))

    assert (failure.kind, failure.retry_after_seconds, failure.http_status) == (FailureKind.THROTTLED, 2.5, 429)
    assert len(server.seen) == 1


async def test_request_id_is_read_from_the_header_where_the_body_has_none(server: Server, client: DataWorks) -> None:
    server.behave = always(http("<html/>", 500, headers={"x-acs-request-id": "from-header"}))

    assert failure_of(await ask(client, GET)).request_id == "from-header"


async def test_nobody_listening_means_that_nothing_was_sent(client_of: MakeClient) -> None:
    async with listening() as server:
        gone = client_of(server)

    for call in (GET, START, CREATE):
        failure = failure_of(await ask(gone, call))
        assert (failure.kind, failure.code, failure.http_status) == (FailureKind.TRANSIENT, "connect_failed", 0)


async def test_call_that_gets_no_connection_in_time_was_not_sent(server: Server, client_of: MakeClient) -> None:
    client = client_of(server, max_connections=1)
    server.behave = say_nothing
    first = asyncio.create_task(ask(client, CREATE))
    async with asyncio.timeout(SECONDS):
        await server.arrived.wait()

    failure = failure_of(await ask(client, CREATE, SHORT))

    assert (failure.kind, failure.code) == (FailureKind.TRANSIENT, "connect_failed")
    assert len(server.seen) == 1
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_deadline_that_is_over_sends_nothing(server: Server, client: DataWorks) -> None:
    for seconds in (0.0, -1.0):
        assert failure_of(await ask(client, CREATE, seconds)).kind is FailureKind.TRANSIENT
    assert not server.seen


async def test_cancelled_call_gives_its_connection_up(server: Server, client: DataWorks) -> None:
    server.behave = say_nothing
    call = asyncio.create_task(ask(client, GET))
    async with asyncio.timeout(SECONDS):
        await server.arrived.wait()

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    server.behave = properly

    assert isinstance(await ask(client, GET), calls.Reply)
    assert [seen.connection for seen in server.seen] == [1, 2]


async def test_closed_client_takes_no_calls(server: Server) -> None:
    client = DataWorks(DataWorksSettings(endpoint=server.url, credentials=Credentials("a", "b")))
    assert isinstance(await ask(client, GET), calls.Reply)
    await client.aclose()
    await client.aclose()

    with pytest.raises(RuntimeError, match="closed"):
        await ask(client, GET)
    async with asyncio.timeout(SECONDS):
        await server.gone.wait()


async def test_regional_table_decides_where_no_endpoint_is_given() -> None:
    from headgate_worker.dataworks.transport import open_transport

    for region, host in (
        ("cn-hangzhou", "dataworks.cn-hangzhou.aliyuncs.com"),
        ("ap-south-1", "dataworks.aliyuncs.com"),
        ("xx-new-1", "dataworks-public.xx-new-1.aliyuncs.com"),
    ):
        transport = await open_transport(DataWorksSettings(region=region))
        assert str(transport.url) == f"https://{host}/"
        await transport.aclose()


async def test_log_names_the_call_and_no_more(
    server: Server, client: DataWorks, caplog: pytest.LogCaptureFixture
) -> None:
    server.behave = always(answer(OperationId="the-operation"))
    with caplog.at_level(logging.DEBUG):
        await ask(client, CREATE)

    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "CreateWorkflowInstances: ok" in text
    for private in ("testsecret", "Signature", "the-operation", "devinTest"):
        assert private not in text


async def test_loggers_of_the_sdk_are_silent(client: DataWorks, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("darabonba-core", "alibabacloud-tea", "credentials"):
        logging.getLogger(name).error("leak")

    assert "leak" not in "".join(capfd.readouterr())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
