"""The access token: fetched once for all calls, and renewed when it ends or is not known any more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import ErrorReply
from headgate_worker.core.model import flow_calls
from headgate_worker.upstream.enos.client import Enos
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
