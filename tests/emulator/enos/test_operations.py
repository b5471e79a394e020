"""Operations of EnOS and their parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.enos.errors import BAD_REQUEST, EnosError
from headgate_emulator.enos.operations import OPERATIONS, Asked, body_of, check_user
from headgate_emulator.enos.rules import FlowRules
from headgate_emulator.enos.world import FlowWorld, Trigger
from headgate_emulator.fault_book import FaultBook
from tests.emulator.enos.conftest import NOW_MS, ByHand, trigger

V21 = "/batch-processing-service/v2.1"


async def test_search_by_window_type_and_page(by_hand: ByHand) -> None:
    ids = [await trigger(by_hand, NOW_MS + 1000 * place) for place in range(3)]
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


def world() -> FlowWorld:
    made = FlowWorld(FlowRules(first_page=1), FaultBook(), [])
    for place in range(3):
        made.trigger(Trigger(flow_id=2809, trigger_ms=NOW_MS + place), NOW_MS)
    return made


def search(**changes: Any) -> Any:
    body = {"type": 0, "fromTriggerTime": NOW_MS, "toTriggerTime": NOW_MS + 3}
    asked = Asked({}, {**body, "pagination": {"pageNo": 1, "pageSize": 10}, **changes})
    try:
        found = OPERATIONS["flowInstances", "search"].call(world(), asked, NOW_MS)
    except EnosError as error:
        return error.code
    return found["count"], len(found["flowInsts"])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, (3, 3)),
        ({"toTriggerTime": NOW_MS + 2}, (2, 2)),
        ({"type": 1}, (0, 0)),
        ({"expression": "21"}, (3, 3)),
        ({"expression": "22"}, (0, 0)),
        ({"owner": "nobody"}, (0, 0)),
        ({"status": "2"}, (1, 1)),
        ({"status": "2, 0"}, (3, 3)),
        ({"pagination": {"pageNo": 2, "pageSize": 2}}, (3, 1)),
        ({"pagination": {"pageNo": 0, "pageSize": 2}}, BAD_REQUEST),
        ({"pagination": {"pageNo": 1, "pageSize": 0}}, BAD_REQUEST),
        ({"pagination": None}, BAD_REQUEST),
        ({"type": True}, BAD_REQUEST),
        ({"status": "two"}, BAD_REQUEST),
    ],
)
def test_a_search_keeps_what_passes_every_filter(changes: dict[str, Any], found: Any) -> None:
    assert search(**changes) == found


def test_user_and_organisation_belong_together() -> None:
    check_user(world(), {"userId": "yourUserId", "orgId": "yourOrgId"})
    for wrong in ({}, {"userId": "yourUserId"}, {"userId": "yourUserId", "orgId": "other"}):
        with pytest.raises(EnosError, match="62101"):
            check_user(world(), wrong)


@pytest.mark.parametrize("text", ["[1]", "{", "7"])
def test_a_body_is_an_object_or_none(text: str) -> None:
    assert body_of("") == {} and body_of('{"a": 1}') == {"a": 1}
    with pytest.raises(EnosError, match="62102"):
        body_of(text)


@pytest.mark.parametrize(("length", "wanted"), [("5", 5), ("0", 0)])
def test_of_a_log_the_end_is_given(length: str, wanted: int) -> None:
    asked = Asked({"taskInstId": "104890-20250208214320", "maxLength": length}, {})

    assert len(OPERATIONS["taskInstances", "getLog"].call(world(), asked, NOW_MS)["log"]) == wanted
