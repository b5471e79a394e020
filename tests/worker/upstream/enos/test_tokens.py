"""The access token: fetched once for all calls, and renewed when it ends or is not known any more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import ErrorReply
from headgate_worker.core.model import flow_calls
from headgate_worker.upstream.enos.client import Enos
from headgate_worker.upstream.enos.tokens import (
    EARLY_SECONDS,
    PAUSE_SECONDS,
    AccessToken,
    TokenCache,
    TokenUnavailable,
)
from tests.worker.upstream.enos.conftest import GET, NOW_MS, body


def tokens_of(emulator: RunningEmulator) -> list[str]:
    return [row.action for row in emulator.ledger if row.action.startswith("token.")]


@pytest.mark.parametrize("as_apim", [False, True])
async def test_a_token_that_ends_is_renewed_once_for_everybody(
    enos: Enos, emulator: RunningEmulator, as_apim: bool
) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, stale_as_apim=as_apim)
    await asyncio.gather(*(body(enos, GET) for _ in range(20)))
    assert tokens_of(emulator) == ["token.get"]

    emulator.state.tokens.expire()
    assert (await body(enos, flow_calls.TriggerFlow(2809, NOW_MS))).instance_id
    await asyncio.gather(*(body(enos, GET) for _ in range(20)))

    assert tokens_of(emulator) == ["token.get", "token.get"]
    assert len(emulator.flows.instances) == 3, "the trigger went out twice"


async def test_a_rejected_token_that_the_service_gives_again_is_replaced(enos: Enos, emulator: RunningEmulator) -> None:
    await body(enos, GET)
    emulator.faults.add([ErrorReply(action="flowInstances.get", code="1203", status=200)])

    await body(enos, GET)

    assert tokens_of(emulator) == ["token.get", "token.get", "token.refresh"]


class Service:
    """Gives the tokens that it has, one after the other, and fails where there is an error."""

    def __init__(self, *given: AccessToken | TokenUnavailable) -> None:
        self._given = list(given)
        self.replaced: list[str] = []

    async def __call__(self, replacing: str) -> AccessToken:
        self.replaced.append(replacing)
        await asyncio.sleep(0)
        found = self._given.pop(0)
        if isinstance(found, TokenUnavailable):
            raise found
        return found


@pytest.fixture
def now() -> list[float]:
    return [100.0]


def held(service: Service, now: list[float]) -> TokenCache:
    return TokenCache(service, clock=lambda: now[0])


async def test_one_fetch_serves_all_calls_until_shortly_before_the_end(now: list[float]) -> None:
    service = Service(AccessToken("one", 10), AccessToken("two", 10))
    tokens = held(service, now)

    assert await asyncio.gather(*(tokens.current() for _ in range(5))) == ["one"] * 5
    now[0] += 10 - EARLY_SECONDS - 0.1
    assert await tokens.current() == "one"
    now[0] += 0.1
    assert await tokens.current() == "two" and service.replaced == ["", ""]


async def test_a_call_that_gives_up_ends_no_fetch(now: list[float]) -> None:
    service = Service(AccessToken("one", 10))
    tokens = held(service, now)
    first = asyncio.create_task(tokens.current())
    await asyncio.sleep(0)
    first.cancel()

    assert await tokens.current() == "one" and service.replaced == [""]
    assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_rejected_token_is_replaced_only_where_the_service_gives_it_again(now: list[float]) -> None:
    service = Service(*(AccessToken(text, 10) for text in ("one", "two", "two", "three")))
    tokens = held(service, now)
    await tokens.current()

    assert await tokens.renew("one") == "two" and service.replaced == ["", ""]
    assert await tokens.renew("one") == "two" and service.replaced == ["", ""]  # another call has renewed it
    assert await tokens.renew("two") == "three" and service.replaced == ["", "", "", "two"]


async def test_after_a_fetch_that_failed_none_is_tried_for_a_while(now: list[float]) -> None:
    service = Service(TokenUnavailable("away", final=False), TokenUnavailable("no", final=True), AccessToken("one", 10))
    tokens = held(service, now)

    for _ in range(3):
        with pytest.raises(TokenUnavailable, match="away"):
            await tokens.current()
    now[0] += PAUSE_SECONDS
    with pytest.raises(TokenUnavailable, match="no") as refused:
        await tokens.current()
    now[0] += PAUSE_SECONDS

    assert refused.value.final and await tokens.current() == "one" and len(service.replaced) == 3


async def test_a_close_ends_the_fetch_that_is_under_way(now: list[float]) -> None:
    ended = asyncio.Event()

    async def endless(replacing: str) -> AccessToken:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    tokens = TokenCache(endless, clock=lambda: now[0])
    call = asyncio.create_task(tokens.current())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await tokens.aclose()

    assert ended.is_set()
    assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], asyncio.CancelledError)
    await held(Service(), now).aclose()
