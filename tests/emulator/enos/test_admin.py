"""The admin endpoints of the EnOS side, over real HTTP."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from headgate_emulator.app import RunningEmulator
from tests.emulator.enos.conftest import ByHand, trigger
from tests.worker.upstream.enos.samples import FIRST_ID, SECOND_ID


async def ask(emulator: RunningEmulator, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    url = f"{emulator.url}/_admin/enos/{path}"
    async with aiohttp.ClientSession() as http, http.request(method, url, json=body) as reply:
        return reply.status, await reply.json()


async def test_instances_are_shown_as_they_stand_now(by_hand: ByHand, emulator: RunningEmulator) -> None:
    instance = await trigger(by_hand)
    emulator.clock.advance(5)

    _, found = await ask(emulator, "GET", "instances")

    rows = {row["instanceId"]: row["statusDesc"] for row in found["instances"]}
    assert rows.keys() == {FIRST_ID, SECOND_ID, instance} and rows[instance] == "SUCCESS"


async def test_the_rules_that_are_named_change_and_the_others_stay(emulator: RunningEmulator) -> None:
    _, before = await ask(emulator, "GET", "rules")
    status, after = await ask(emulator, "POST", "rules", {"run_seconds": 9, "graph": "object"})

    assert status == 200 and after["rules"] == {**before["rules"], "run_seconds": 9.0, "graph": "object"}
    assert emulator.flows.rules.run_seconds == 9


@pytest.mark.parametrize("wrong", [{"run_seconds": -1}, {"no_such_rule": 1}, [1]])
async def test_a_wrong_rule_changes_nothing(emulator: RunningEmulator, wrong: Any) -> None:
    before = emulator.flows.rules
    status, _ = await ask(emulator, "POST", "rules", wrong)

    assert status == 400 and emulator.flows.rules == before


async def test_every_token_ends_at_once(by_hand: ByHand, emulator: RunningEmulator) -> None:
    await by_hand.fetch_token()
    await ask(emulator, "POST", "tokens/expire", {})

    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID))["status"] == 1203
