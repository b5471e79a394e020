"""The EnOS side of the emulator, over real HTTP."""

from __future__ import annotations

import json

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.enos.signing import signature
from headgate_emulator.faults import LostReply
from tests.emulator.enos.conftest import ByHand, fresh_ms, trigger
from tests.worker.upstream.enos.samples import SECOND_ID, SECOND_PRINTED

VECTOR_BODY = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'
V21 = "/batch-processing-service/v2.1"


def test_the_published_signature_vector() -> None:
    query = {"k3": "v3", "k1": "v1", "k2": "v2"}

    found = signature("xxxxaaaxxxx", query, VECTOR_BODY, "1572574909697", "xxxappSecretxxx")

    assert found == "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"


async def test_the_seeds_request_gives_the_seeds_reply(by_hand: ByHand) -> None:
    reply = await by_hand("flowInstances", "get", flowInstId=SECOND_ID)

    graph = reply["data"].pop("graph")
    printed = SECOND_PRINTED.replace(f'"graph": "{graph}",', "")
    assert reply == json.loads(printed)
    assert json.loads(graph)["tasks"][0]["taskInstId"] == "104890-20190808093200"


async def test_the_newer_generation_has_another_envelope(by_hand: ByHand) -> None:
    reply = await by_hand("flowInstances", "get", flowInstId=SECOND_ID, base=V21)

    assert (reply["code"], reply["msg"], reply["data"]["status"]) == (0, "OK", 1)


async def test_every_way_to_be_refused(by_hand: ByHand) -> None:
    at = fresh_ms()
    assert (await by_hand.fetch_token(at_ms=at))["status"] == 0
    assert (await by_hand.fetch_token(at_ms=at))["status"] == 1001
    assert (await by_hand.fetch_token(app_key="nobody"))["status"] == 1002
    assert (await by_hand.fetch_token(secret="wrong"))["status"] == 1003
    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID, secret="wrong"))["status"] == 1003
    assert (await by_hand("flowInstances", "get", flowInstId="1-2"))["status"] == 62102
    assert (await by_hand("flowInstances", "get"))["status"] == 62102
    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID, userId="other"))["status"] == 62101
    assert (await by_hand("taskInstances", "get", taskInstId="104890-20190808093200"))["status"] == 62102
    assert (await by_hand("flowInstances", "cancel", body={"flowInstId": SECOND_ID}))["status"] == 62102


async def test_faults_and_ledger_are_the_same_as_everywhere(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.faults.add([LostReply(action="flows.trigger")])
    with pytest.raises(Exception, match=r"[Dd]isconnected"):
        await trigger(by_hand)

    row = next(row for row in emulator.ledger if row.action == "flows.trigger")
    assert (row.applied, row.status, row.fault, row.access_key) == (True, 0, "lost_reply", "testid")
    assert len(emulator.flows.instances) == 3
    assert "encryption" not in next(row for row in emulator.ledger if row.action == "token.get").params
