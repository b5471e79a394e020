"""The token service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.enos import errors
from headgate_emulator.enos.errors import EnosError
from headgate_emulator.enos.signing import encryption, signature
from headgate_emulator.enos.tokens import TOLERANCE_MS, Signed, TokenDesk
from tests.emulator.enos.conftest import APP_KEY, APP_SECRET, NOW_MS, ByHand
from tests.worker.upstream.enos.samples import SECOND_ID


async def test_tokens_end_and_are_told_so(by_hand: ByHand, emulator: RunningEmulator) -> None:
    first = await by_hand.fetch_token()
    assert (await by_hand.fetch_token())["data"]["accessToken"] == first["data"]["accessToken"]
    emulator.advance(7200)

    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID))["status"] == 1203
    emulator.flows.rules = replace(emulator.flows.rules, stale_as_apim=True)
    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID))["apim_status"] == 4011
    assert (await by_hand.fetch_token())["data"]["accessToken"] != first["data"]["accessToken"]


def proof(at_ms: int = NOW_MS, secret: str = APP_SECRET, **changes: Any) -> dict[str, Any]:
    made = {"appKey": APP_KEY, "encryption": encryption(APP_KEY, str(at_ms), secret), "timestamp": at_ms}
    return {**made, **changes}


def get(desk: TokenDesk, body: dict[str, Any], now_ms: int = NOW_MS) -> dict[str, Any]:
    return desk.get(body, now_ms=now_ms, wall_ms=NOW_MS, seconds=100)


@pytest.fixture
def desk() -> TokenDesk:
    return TokenDesk({APP_KEY: APP_SECRET})


def test_a_token_is_the_same_until_it_ends(desk: TokenDesk) -> None:
    first = get(desk, proof())

    assert first == {"accessToken": f"{APP_KEY}-token-1", "expire": 100}
    assert get(desk, proof(NOW_MS + 1), NOW_MS + 99_999) == {**first, "expire": 0}
    assert get(desk, proof(NOW_MS + 2), NOW_MS + 100_000) == {"accessToken": f"{APP_KEY}-token-2", "expire": 100}


def test_only_the_token_that_holds_is_replaced(desk: TokenDesk) -> None:
    held = get(desk, proof())["accessToken"]

    def refresh(at_ms: int, token: str) -> dict[str, Any]:
        return desk.refresh(proof(at_ms, accessToken=token), now_ms=NOW_MS, wall_ms=NOW_MS, seconds=100)

    with pytest.raises(EnosError) as refused:
        refresh(NOW_MS + 1, "another")
    assert refused.value.code == errors.REFRESH_FAILED
    assert refresh(NOW_MS + 2, held)["accessToken"] != held
    with pytest.raises(EnosError):
        refresh(NOW_MS + 3, held)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (proof(appKey=5), errors.BAD_PARAMETER),
        (proof(timestamp="now"), errors.BAD_PARAMETER),
        (proof(NOW_MS + TOLERANCE_MS + 1), errors.BAD_PARAMETER),
        (proof(appKey="other"), errors.UNKNOWN_APP),
        (proof(secret="wrong"), errors.BAD_PROOF),
    ],
)
def test_what_proves_nothing_gets_no_token(desk: TokenDesk, body: dict[str, Any], code: int) -> None:
    with pytest.raises(EnosError) as refused:
        get(desk, body)

    assert refused.value.code == code and desk.issued == 0


def test_a_proof_is_taken_once_and_a_clock_may_be_off_by_minutes(desk: TokenDesk) -> None:
    get(desk, proof(NOW_MS - TOLERANCE_MS))
    with pytest.raises(EnosError) as refused:
        get(desk, proof(NOW_MS - TOLERANCE_MS))

    assert refused.value.code == errors.REPLAYED


def test_a_call_needs_its_parts_a_live_token_the_time_and_the_signature(desk: TokenDesk) -> None:
    token, at = get(desk, proof())["accessToken"], str(NOW_MS)
    query = {"action": "get"}
    good = Signed(token, at, signature(token, query, "", at, APP_SECRET), query, "")

    def check(call: Signed, now_ms: int = NOW_MS, apim: bool = False) -> str | int:
        try:
            return desk.check(call, now_ms=now_ms, wall_ms=NOW_MS, stale_as_apim=apim)
        except EnosError as error:
            return error.code

    assert check(good) == APP_KEY
    assert check(replace(good, signature="")) == errors.EMPTY_PARAMETER
    assert check(replace(good, token="another")) == check(good, NOW_MS + 100_000) == errors.TOKEN_EXPIRED
    assert check(good, NOW_MS + 100_000, apim=True) == errors.TOKEN_STALE
    assert check(replace(good, body="x")) == check(replace(good, query={})) == errors.BAD_PROOF
    assert check(replace(good, timestamp="1")) == errors.BAD_PARAMETER
    desk.expire()
    assert check(good) == errors.TOKEN_EXPIRED
