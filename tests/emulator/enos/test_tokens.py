"""The token service."""

from __future__ import annotations

from dataclasses import replace

from headgate_emulator.app import RunningEmulator
from tests.emulator.enos.conftest import ByHand
from tests.worker.upstream.enos.samples import SECOND_ID


async def test_tokens_end_and_are_told_so(by_hand: ByHand, emulator: RunningEmulator) -> None:
    first = await by_hand.fetch_token()
    assert (await by_hand.fetch_token())["data"]["accessToken"] == first["data"]["accessToken"]
    emulator.advance(7200)

    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID))["status"] == 1203
    emulator.flows.rules = replace(emulator.flows.rules, stale_as_apim=True)
    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID))["apim_status"] == 4011
    assert (await by_hand.fetch_token())["data"]["accessToken"] != first["data"]["accessToken"]
