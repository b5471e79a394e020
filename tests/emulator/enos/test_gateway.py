"""The EnOS side of the emulator, over real HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.enos.rules import FlowSpec
from headgate_emulator.enos.signing import signature
from headgate_emulator.faults import FailRun, LostReply
from tests.emulator.enos.conftest import ByHand, fresh_ms
from tests.worker.upstream.enos.samples import SECOND_ID, SECOND_PRINTED

VECTOR_BODY = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'
NOW_MS = 1_739_022_200_000
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


async def test_the_reply_can_be_printed_as_in_the_seed(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, graph="unescaped")

    text = await by_hand.text("flowInstances", "get", flowInstId=SECOND_ID)

    assert '"graph": "{"creator":"yourCreator",' in text
    with pytest.raises(ValueError, match="delimiter"):
        json.loads(text)


async def test_the_newer_generation_has_another_envelope(by_hand: ByHand) -> None:
    reply = await by_hand("flowInstances", "get", flowInstId=SECOND_ID, base=V21)

    assert (reply["code"], reply["msg"], reply["data"]["status"]) == (0, "OK", 1)


async def test_tokens_end_and_are_told_so(by_hand: ByHand, emulator: RunningEmulator) -> None:
    first = await by_hand.fetch_token()
    assert (await by_hand.fetch_token())["data"]["accessToken"] == first["data"]["accessToken"]
    emulator.advance(7200)

    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID))["status"] == 1203
    emulator.flows.rules = replace(emulator.flows.rules, stale_as_apim=True)
    assert (await by_hand("flowInstances", "get", flowInstId=SECOND_ID))["apim_status"] == 4011
    assert (await by_hand.fetch_token())["data"]["accessToken"] != first["data"]["accessToken"]


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


async def _trigger(by_hand: ByHand, at_ms: int = NOW_MS, **body: Any) -> str:
    reply = await by_hand("flows", "trigger", body={"flowId": 2809, "triggerTime": at_ms, **body})
    found: str = reply["data"]["flowInstanceId"]
    return found


async def _status(by_hand: ByHand, instance_id: str) -> str:
    reply = await by_hand("flowInstances", "get", flowInstId=instance_id)
    found: str = reply["data"]["statusDesc"]
    return found


async def test_one_instance_of_a_flow_runs_and_the_others_queue(by_hand: ByHand, emulator: RunningEmulator) -> None:
    first, second = await _trigger(by_hand), await _trigger(by_hand, NOW_MS + 1000)
    assert first == "2809-20250208214320"
    assert (await _status(by_hand, first), await _status(by_hand, second)) == ("RUNNING", "INIT")

    emulator.advance(2)
    assert await _status(by_hand, second) == "WAIT"
    emulator.advance(3)
    assert (await _status(by_hand, first), await _status(by_hand, second)) == ("SUCCESS", "RUNNING")
    emulator.advance(5)
    assert await _status(by_hand, second) == "SUCCESS"


async def test_a_cancel_of_a_waiting_one_starts_nothing(by_hand: ByHand, emulator: RunningEmulator) -> None:
    ids = [await _trigger(by_hand, NOW_MS - 1000 * place) for place in range(3)]

    await by_hand("flowInstances", "cancel", body={"flowInstId": ids[1]})
    assert [await _status(by_hand, one) for one in ids] == ["RUNNING", "CANCEL", "WAIT"]
    await by_hand("flowInstances", "cancel", body={"flowInstId": ids[0]})
    emulator.advance(1)
    assert [await _status(by_hand, one) for one in ids] == ["CANCEL", "CANCEL", "RUNNING"]


async def test_a_failed_task_is_in_graph_and_log(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.faults.add([FailRun(name="21", task_name="tass", log="no such table")])
    instance_id = await _trigger(by_hand)
    emulator.advance(5)

    reply = await by_hand("flowInstances", "get", flowInstId=instance_id)
    task = json.loads(reply["data"]["graph"])["tasks"][0]
    log = await by_hand("taskInstances", "getLog", taskInstId=task["taskInstId"])
    assert (reply["data"]["statusDesc"], task["status"]) == ("FAIL", "FAIL")
    assert "no such table" in log["data"]["log"]


async def test_search_by_window_type_and_page(by_hand: ByHand) -> None:
    ids = [await _trigger(by_hand, NOW_MS + 1000 * place) for place in range(3)]
    body = {"type": 0, "fromTriggerTime": NOW_MS, "toTriggerTime": NOW_MS + 2000, "status": ""}

    reply = await by_hand("flowInstances", "search", body={**body, "pagination": {"pageNo": 1, "pageSize": 1}})

    assert [row["instanceId"] for row in reply["data"]["flowInsts"]] == [ids[1]]
    assert reply["data"]["count"] == 2


async def test_from_task_and_with_parameters(by_hand: ByHand, emulator: RunningEmulator) -> None:
    body = {"flowId": 2809, "triggerTime": NOW_MS, "taskId": 104890}
    assert (await by_hand("flows", "triggerFromTask", body=body))["status"] == 62102
    assert (await by_hand("flows", "triggerFromTask", body=body, base=V21))["code"] == 0
    assert (await by_hand("flows", "triggerFromTask", body=body, base=V21))["code"] == 62102

    parameters = [{"key": "day", "value": "2025-02-05"}]
    changed = {"flowId": 2438, "triggerTime": NOW_MS, "parameters": parameters}
    instance_id = (await by_hand("flows", "updateAndTrigger", body=changed))["data"]["flowInstanceId"]
    row = (await by_hand("flowInstances", "get", flowInstId=instance_id))["data"]
    assert json.loads(row["parameters"]) == parameters


async def test_faults_and_ledger_are_the_same_as_everywhere(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.faults.add([LostReply(action="flows.trigger")])
    with pytest.raises(Exception, match=r"[Dd]isconnected"):
        await _trigger(by_hand)

    row = next(row for row in emulator.ledger if row.action == "flows.trigger")
    assert (row.applied, row.status, row.fault, row.access_key) == (True, 0, "lost_reply", "testid")
    assert len(emulator.flows.instances) == 3
    assert "encryption" not in next(row for row in emulator.ledger if row.action == "token.get").params


async def test_a_flow_without_tasks_is_not_triggered(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, flows=(FlowSpec(id=7, name="empty"),))

    reply = await by_hand("flows", "trigger", body={"flowId": 7, "triggerTime": NOW_MS})

    assert reply["status"] == 62104
