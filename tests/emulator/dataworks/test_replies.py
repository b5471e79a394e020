"""The JSON members that DataWorks answers."""

from dataclasses import replace
from typing import Any

from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks import replies
from headgate_emulator.dataworks.instances import Creation, Entry, Instance
from headgate_emulator.dataworks.runs import Run
from headgate_emulator.dataworks.statuses import Status
from tests.emulator.conftest import FIRST, Rpc
from tests.emulator.worlds import NOW, backfill, created, world_of


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


def shown(one: Instance) -> dict[str, Any]:
    return replies.instance_json(one, modern=False)


def test_a_member_without_a_value_is_absent_and_times_are_whole_seconds() -> None:
    world = world_of()
    created(world, backfill())
    first, second = world.instances
    ran = replace(first, run=Run(status=Status.FAILURE, started_at=NOW + 1_999, finished_at=NOW + 5_001))

    assert shown(second).keys() & {"StartedTime", "FinishedTime", "Tags", "Owner", "WorkflowParameters"} == set()
    assert (shown(ran)["StartedTime"], shown(ran)["FinishedTime"]) == (NOW + 1_000, NOW + 5_000)
    assert "UnifiedWorkflowInstanceId" in replies.instance_json(first, modern=True)


def test_ids_of_a_creation_are_shown_once_it_is_created() -> None:
    assert replies.creation_json(Creation("Creating"), modern=True) == {"Status": "Creating"}
    assert replies.creation_json(Creation("Created", (1, 2)), modern=False) == {
        "Status": "Created",
        "WorkflowInstanceIds": [1, 2],
    }
    assert replies.creation_json(Creation("CreateFailure", failure="no"), modern=False)["FailureMessage"] == "no"


def test_a_success_of_one_id_has_no_message() -> None:
    assert replies.success_info({1: Entry(True), 2: Entry(False, "wait")}) == {
        "1": {"Success": True},
        "2": {"Success": False, "Message": "wait"},
    }
