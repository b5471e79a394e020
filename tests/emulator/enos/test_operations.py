"""Operations of EnOS and their parameters."""

from __future__ import annotations

import json

from headgate_emulator.app import RunningEmulator
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
