"""How connections are kept, shared and given up, seen from the server."""

from __future__ import annotations

import asyncio
import logging

import pytest
from blockbuster import blockbuster_ctx

from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from headgate_worker.upstream.dataworks.transport import open_transport
from tests.worker.upstream.conftest import MakeClient
from tests.worker.upstream.dataworks.specs import ADHOC, CREATE, GET, RERUN, SECONDS, SHORT, START, ask, failure_of
from tests.worker.upstream.scripted_server import (
    PROPER,
    Seen,
    Server,
    always,
    answer,
    http,
    properly,
    refusal,
)


async def hang_up(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def say_nothing(seen: Seen, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


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


async def test_what_comes_unasked_is_not_taken_for_the_next_reply(server: Server, client: DataWorks) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def answer_and_keep(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await properly(seen, writer)

    server.behave = answer_and_keep
    assert isinstance(await ask(client, GET), calls.Reply)
    await always(refusal("Throttling.User", 429))(server.seen[0], writers[0])
    assert isinstance(await ask(client, CREATE), calls.Reply)  # on a connection of its own, while the other reads

    assert failure_of(await ask(client, GET)).code == "connect_failed"
    assert isinstance(await ask(client, GET), calls.Reply)
    assert [seen.connection for seen in server.seen] == [1, 2, 3]


async def test_interim_replies_are_passed_over(server: Server, client: DataWorks) -> None:
    server.behave = always(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(OperationId="op"))

    for _ in range(2):
        assert isinstance(await ask(client, CREATE), calls.Reply)


async def test_header_with_a_line_break_is_not_sent(server: Server) -> None:
    for name in ("a\nb", "a\rb", "a\0b"):
        async with DataWorks(DataWorksSettings(endpoint=server.url, credentials=Credentials(name, "b"))) as client:
            with pytest.raises(ValueError, match="line break"):
                await ask(client, GET)
    assert not server.seen


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


async def test_regional_table_decides_where_no_endpoint_is_given() -> None:
    for region, host in (
        ("cn-hangzhou", "dataworks.cn-hangzhou.aliyuncs.com"),
        ("ap-south-1", "dataworks.aliyuncs.com"),
        ("xx-new-1", "dataworks-public.xx-new-1.aliyuncs.com"),
    ):
        transport = await open_transport(DataWorksSettings(region=region))
        assert str(transport.url) == f"https://{host}/"
        await transport.aclose()


async def test_loggers_of_the_sdk_are_silent(client: DataWorks, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("darabonba-core", "alibabacloud-tea", "credentials"):
        logging.getLogger(name).error("leak")

    assert "leak" not in "".join(capfd.readouterr())


async def test_nothing_blocks_the_loop(server: Server, client_of: MakeClient) -> None:
    with blockbuster_ctx():
        client = client_of(server)
        await client.open()
        for call in (GET, START, CREATE):
            assert isinstance(await ask(client, call), calls.Reply)
        await client.aclose()
