"""One request for a call, within a time, and what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from headgate_worker.core.model import calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.credentials import CredentialCache
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from tests.worker.upstream.conftest import MakeClient, Provider, finished
from tests.worker.upstream.dataworks.specs import CREATE, GET, SECONDS, SHORT, START, ask, failure_of
from tests.worker.upstream.scripted_server import (
    Seen,
    Server,
    always,
    answer,
    listening,
    properly,
    refusal,
)


async def say_nothing(seen: Seen, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_silent_server_runs_into_the_deadline(server: Server, client: DataWorks) -> None:
    server.behave = say_nothing

    read, create = await asyncio.gather(ask(client, GET, SHORT), ask(client, CREATE, SHORT))

    assert (failure_of(read).kind, failure_of(read).code) == (FailureKind.TRANSIENT, "timed_out")
    assert (failure_of(create).kind, failure_of(create).code) == (FailureKind.AMBIGUOUS, "timed_out")


async def test_nobody_listening_means_that_nothing_was_sent(client_of: MakeClient) -> None:
    async with listening() as server:
        gone = client_of(server)

    for call in (GET, START, CREATE):
        failure = failure_of(await ask(gone, call))
        assert (failure.kind, failure.code, failure.http_status) == (FailureKind.TRANSIENT, "connect_failed", 0)


async def test_deadline_that_is_over_sends_nothing(server: Server, client: DataWorks) -> None:
    for seconds in (0.0, -1.0):
        assert failure_of(await ask(client, CREATE, seconds)).kind is FailureKind.TRANSIENT
    assert not server.seen


async def test_closed_client_takes_no_calls(server: Server) -> None:
    client = DataWorks(DataWorksSettings(endpoint=server.url, credentials=Credentials("a", "b")))
    assert isinstance(await ask(client, GET), calls.Reply)
    await client.aclose()
    await client.aclose()

    with pytest.raises(RuntimeError, match="closed"):
        await ask(client, GET)
    async with asyncio.timeout(SECONDS):
        await server.gone.wait()


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


def rejecting(
    *rejected: str, code: str = "InvalidSecurityToken.Expired"
) -> Callable[[Seen, asyncio.StreamWriter], Any]:
    async def behave(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if seen.headers["x-acs-accesskey-id"] in rejected:
            await always(refusal(code, 403))(seen, writer)
        else:
            await properly(seen, writer)

    return behave


@pytest.mark.parametrize("code", ["InvalidSecurityToken.Expired", "InvalidAccessKeyId.NotFound"])
@pytest.mark.parametrize("call", [GET, START, CREATE])
async def test_call_refused_for_its_key_or_token_is_sent_again_with_another(
    server: Server, client_of: MakeClient, cache: CredentialCache, provider: Provider, call: calls.Call, code: str
) -> None:
    server.behave = rejecting("key-1", code=code)

    outcome = await ask(client_of(server, source=cache), call)

    assert isinstance(outcome, calls.Reply)
    assert [seen.headers["x-acs-accesskey-id"] for seen in server.seen] == ["key-1", "key-2"]
    assert len({seen.headers["x-acs-signature-nonce"] for seen in server.seen}) == 2
    assert provider.asked == [False, True]


async def test_second_refusal_of_the_token_is_final(
    server: Server, client_of: MakeClient, cache: CredentialCache
) -> None:
    server.behave = rejecting("key-1", "key-2", "key-3")

    failure = failure_of(await ask(client_of(server, source=cache), CREATE))

    assert (failure.kind, failure.code) == (FailureKind.DENIED, "InvalidSecurityToken.Expired")
    assert len(server.seen) == 2


async def test_same_key_again_is_not_tried(
    server: Server, client_of: MakeClient, cache: CredentialCache, provider: Provider
) -> None:
    server.behave = rejecting("key-1")
    provider.same = True

    failure = failure_of(await ask(client_of(server, source=cache), CREATE))

    assert failure.kind is FailureKind.DENIED
    assert len(server.seen) == 1


async def test_reply_lost_after_a_renewal_is_ambiguous(
    server: Server, client_of: MakeClient, cache: CredentialCache
) -> None:
    async def reject_then_hang_up(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(server.seen) == 1:
            await always(refusal("InvalidSecurityToken.Expired", 403))(seen, writer)
        else:
            writer.close()

    server.behave = reject_then_hang_up

    failure = failure_of(await ask(client_of(server, source=cache), CREATE))

    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "connection_lost")


async def test_renewal_that_takes_too_long_leaves_nothing_in_doubt(
    server: Server, client_of: MakeClient, cache: CredentialCache, provider: Provider
) -> None:
    server.behave = rejecting("key-1")
    await cache.current()
    provider.go.clear()

    failure = failure_of(await ask(client_of(server, source=cache), CREATE, SHORT))

    assert (failure.kind, failure.code) == (FailureKind.TRANSIENT, "credentials_unavailable")
    provider.go.set()
    await finished()


async def test_no_credentials_is_denied_and_nothing_is_sent(
    server: Server, client_of: MakeClient, cache: CredentialCache, provider: Provider
) -> None:
    provider.error = ValueError("leak")

    failure = failure_of(await ask(client_of(server, source=cache), CREATE))

    assert (failure.kind, failure.code) == (FailureKind.DENIED, "credentials_unavailable")
    assert "leak" not in failure.message
    assert not server.seen
