"""The JSON members that DataWorks answers."""

from dataclasses import replace
from typing import Any

from headgate_emulator.app import RunningEmulator
from tests.emulator.conftest import FIRST, Rpc


async def test_modern_replies_carry_the_newer_ids(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.world.rules = replace(emulator.world.rules, modern_fields=True)
    operation = (await rpc("CreateWorkflowInstances", **seed_create)).body["OperationId"]
    emulator.advance(1)

    result = await rpc("GetCreateWorkflowInstancesResult", query=True, OperationId=operation)
    one = await rpc("GetWorkflowInstance", query=True, Id=FIRST)

    assert "UnifiedWorkflowInstanceIds" in result.body["Result"]
    assert "WorkflowTaskInstanceId" in one.body["WorkflowInstance"]
