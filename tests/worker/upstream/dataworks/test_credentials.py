from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import Any

import pytest
from alibabacloud_credentials.provider import URLCredentialsProvider
from alibabacloud_credentials.utils import auth_util

from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks import credentials as module
from headgate_worker.upstream.dataworks.credentials import CredentialCache, CredentialsUnavailable, DefaultChain
from headgate_worker.upstream.dataworks.settings import Credentials
from tests.worker.upstream.conftest import Clock, MakeClient, Provider, finished
from tests.worker.upstream.dataworks.specs import GET, ask
from tests.worker.upstream.scripted_server import Server, always, http, listening


async def key(cache: CredentialCache) -> str:
    return (await cache.current()).access_key_id


async def test_first_callers_share_one_fetch_in_another_thread(cache: CredentialCache, provider: Provider) -> None:
    assert await asyncio.gather(*(key(cache) for _ in range(20))) == ["key-1"] * 20
    assert provider.asked == [False]
    assert threading.get_ident() not in provider.threads


async def test_fresh_key_is_not_asked_for_again(cache: CredentialCache, provider: Provider, clock: Clock) -> None:
    await key(cache)
    clock.now += module.RENEW_SECONDS - 1

    assert await key(cache) == "key-1"
    assert provider.asked == [False]


async def test_ageing_key_is_used_while_the_next_one_is_fetched(
    cache: CredentialCache, provider: Provider, clock: Clock
) -> None:
    await key(cache)
    clock.now += module.RENEW_SECONDS
    provider.go.clear()

    assert [await key(cache) for _ in range(5)] == ["key-1"] * 5
    provider.go.set()
    await finished()

    assert await key(cache) == "key-2"
    assert provider.asked == [False, False]


async def test_stale_key_is_waited_for(cache: CredentialCache, clock: Clock) -> None:
    await key(cache)
    clock.now += module.STALE_SECONDS

    assert await key(cache) == "key-2"


async def test_failed_refresh_keeps_the_key_and_pauses(
    cache: CredentialCache, provider: Provider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await key(cache)
    provider.error = RuntimeError("{'AccessKeySecret': 'leak'}")
    clock.now += module.STALE_SECONDS

    assert await key(cache) == "key-1"
    assert await key(cache) == "key-1"
    assert len(provider.asked) == 2
    assert "leak" not in caplog.text
    assert "RuntimeError" in caplog.text

    provider.error = None
    clock.now += module.PAUSE_SECONDS
    assert await key(cache) == "key-3"


async def test_without_any_key_the_reason_is_told_without_secrets(
    cache: CredentialCache, provider: Provider, clock: Clock
) -> None:
    provider.error = KeyError("leak")

    for _ in range(3):
        with pytest.raises(CredentialsUnavailable, match="KeyError") as caught:
            await cache.current()
        assert "leak" not in str(caught.value)
    assert len(provider.asked) == 1

    clock.now += module.PAUSE_SECONDS
    provider.error = None
    assert await key(cache) == "key-2"


async def test_rejected_key_is_renewed_once_for_all(cache: CredentialCache, provider: Provider) -> None:
    rejected = await cache.current()

    renewed = await asyncio.gather(*(cache.renew(rejected) for _ in range(10)))

    assert {one.access_key_id for one in renewed} == {"key-2"}
    assert (await cache.renew(rejected)).access_key_id == "key-2"
    assert provider.asked == [False, True]


async def test_caller_that_gives_up_does_not_end_the_fetch_of_others(
    cache: CredentialCache, provider: Provider
) -> None:
    provider.go.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await cache.current()
    provider.go.set()

    assert await key(cache) == "key-1"
    assert provider.asked == [False]


async def test_closing_gives_up_a_fetch(cache: CredentialCache, provider: Provider) -> None:
    provider.go.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await cache.current()

    await cache.aclose()
    provider.go.set()


async def test_calls_go_on_while_credentials_are_refreshed(
    server: Server, client_of: MakeClient, cache: CredentialCache, provider: Provider, clock: Clock
) -> None:
    client = client_of(server, source=cache)
    await client.open()
    assert isinstance(await ask(client, GET), calls.Reply)
    clock.now += module.RENEW_SECONDS
    provider.go.clear()

    outcomes = await asyncio.gather(*(ask(client, GET) for _ in range(32)))

    assert all(isinstance(outcome, calls.Reply) for outcome in outcomes)
    assert {seen.headers["x-acs-accesskey-id"] for seen in server.seen} == {"key-1"}
    assert provider.asked == [False, False]
    provider.go.set()
    await finished()
    await ask(client, GET)
    assert server.seen[-1].headers["x-acs-accesskey-id"] == "key-2"


async def test_default_chain_takes_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_util, "environment_access_key_id", "id")  # the SDK reads the environment on import
    monkeypatch.setattr(auth_util, "environment_access_key_secret", "secret")
    monkeypatch.setattr(auth_util, "environment_security_token", None)

    assert await CredentialCache(DefaultChain()).current() == Credentials("id", "secret", "", "default/env")


async def test_default_chain_is_made_anew_where_its_key_was_rejected() -> None:
    made = 0

    def make() -> Any:
        nonlocal made
        made += 1
        return Given(made)

    cache = CredentialCache(DefaultChain(make))

    first = await cache.current()
    second = await cache.renew(first)

    assert (first.access_key_id, second.access_key_id) == ("key-1", "key-2")


class Given:
    """Credentials as the SDK's providers give them, always the same."""

    def __init__(self, number: int) -> None:
        self._number = number

    def get_credentials(self) -> Given:
        return self

    def get_access_key_id(self) -> str:
        return f"key-{self._number}"

    def get_access_key_secret(self) -> str:
        return "secret"

    def get_security_token(self) -> str | None:
        return None

    def get_provider_name(self) -> str:
        return "test"


async def test_provider_that_fetches_over_http_does_not_stop_the_loop(
    server: Server, client_of: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata server below runs on this very loop: a fetch that blocked the loop could never end."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    given = {
        "Code": "Success",
        "AccessKeyId": "sts-key",
        "AccessKeySecret": "secret",
        "SecurityToken": "token",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    async with listening() as metadata:
        metadata.behave = always(http(json.dumps(given)))
        source = CredentialCache(DefaultChain(lambda: URLCredentialsProvider(uri=f"{metadata.url}/keys")))
        client = client_of(server, source=source)
        outcomes = await asyncio.gather(*(ask(client, GET) for _ in range(8)))

        assert len(metadata.seen) == 1
    assert all(isinstance(outcome, calls.Reply) for outcome in outcomes)
    assert {seen.headers["x-acs-security-token"] for seen in server.seen} == {"token"}
    assert not logging.getLogger("credentials").handlers
