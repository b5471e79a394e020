"""Seed 000's session, request for request, over real HTTP, by CLI-style calls and through the SDK."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from alibabacloud_dataworks_public20240518 import models
from alibabacloud_dataworks_public20240518.client import Client

from headgate_emulator.app import RunningEmulator
from headgate_emulator.scenario import load
from tests.emulator.conftest import Begin, Rpc

FIRST, SECOND = 1000341554601, 1000341554605
OPERATION = "d860bfca-b611-4d7e-a014-2e1ee2ca0999"
BLOCKED = "Because of parallelism config, wait for parent workflowInstance[1000341554601] to finish"
SUCCESS_INFO = {
    "1000341554601": {"Success": True},
    "1000341554605": {"Message": BLOCKED, "Success": False},
}
COMMON = {
    "CreateTime": 1739022201000,
    "CreateUser": "200527038829996354",
    "EnvType": "Prod",
    "ModifyUser": "200527038829996354",
    "Name": "devinTestSparkSQL20run1",
    "ProjectId": 257880,
    "Type": "SupplementData",
    "WorkflowId": 1,
}
RUNNING = COMMON | {
    "BizDate": 1738684800000,
    "Id": FIRST,
    "ModifyTime": 1739022265000,
    "StartedTime": 1739022265000,
    "Status": "Running",
}
ENDED = RUNNING | {"FinishedTime": 1739022338000, "ModifyTime": 1739022338000, "Status": "Success"}
WAITING = COMMON | {
    "BizDate": 1738771200000,
    "Id": SECOND,
    "ModifyTime": 1739022201000,
    "Status": "NotRun",
}
ADOPTED = WAITING | {
    "ModifyTime": 1739022338000,
    "StartedTime": 1739022338000,
    "Status": "Running",
}


@pytest.fixture
async def seed(begin: Begin) -> AsyncIterator[RunningEmulator]:
    async with begin(load("seed-000")) as emulator:
        yield emulator


async def test_cli_session_is_answered_field_for_field(
    seed: RunningEmulator, rpc_to: Callable[[RunningEmulator], Rpc], seed_create: dict[str, Any]
) -> None:
    rpc = rpc_to(seed)

    async def answer(action: str, *, query: bool = False, **params: Any) -> dict[str, Any]:
        reply = await rpc(action, query=query, **params)
        assert reply.status == 200
        assert len(reply.body.pop("RequestId")) == 36
        return reply.body

    assert await answer("CreateWorkflowInstances", **seed_create) == {"OperationId": OPERATION}
    creating = await answer("GetCreateWorkflowInstancesResult", query=True, OperationId=OPERATION)
    assert creating == {"Result": {"Status": "Creating"}}
    seed.advance(1)
    created = await answer("GetCreateWorkflowInstancesResult", query=True, OperationId=OPERATION)
    assert created == {"Result": {"Status": "Created", "WorkflowInstanceIds": [FIRST, SECOND]}}
    seed.advance(64)
    started = await answer("StartWorkflowInstances", Ids="[1000341554601,1000341554605]")
    assert started == {"SuccessInfo": SUCCESS_INFO}
    assert await answer("GetWorkflowInstance", query=True, Id=FIRST) == {"WorkflowInstance": RUNNING}
    assert await answer("GetWorkflowInstance", query=True, Id=SECOND) == {"WorkflowInstance": WAITING}
    seed.advance(73)
    assert await answer("GetWorkflowInstance", query=True, Id=FIRST) == {"WorkflowInstance": ENDED}
    # The second public transcript: the child begins in the very moment in which its parent ends.
    assert await answer("GetWorkflowInstance", query=True, Id=SECOND) == {"WorkflowInstance": ADOPTED}


async def test_sdk_session_is_answered_field_for_field(
    seed: RunningEmulator, sdk_to: Callable[[RunningEmulator], Client]
) -> None:
    sdk = sdk_to(seed)

    async def read(identity: int) -> Any:
        request = models.GetWorkflowInstanceRequest(id=identity)
        members = (await sdk.get_workflow_instance_async(request)).body.workflow_instance.to_map()
        assert members.pop("Tags") == []  # the SDK's own doing: an absent list becomes an empty one
        return members

    create = await sdk.create_workflow_instances_async(_sdk_create())
    assert create.body.operation_id == OPERATION
    seed.advance(1)
    poll = models.GetCreateWorkflowInstancesResultRequest(operation_id=OPERATION)
    result = (await sdk.get_create_workflow_instances_result_async(poll)).body.result
    assert result.to_map() == {"Status": "Created", "WorkflowInstanceIds": [FIRST, SECOND]}
    seed.advance(64)
    start = models.StartWorkflowInstancesRequest(ids=[FIRST, SECOND])
    started = await sdk.start_workflow_instances_async(start)
    assert started.body.to_map()["SuccessInfo"] == SUCCESS_INFO
    assert await read(FIRST) == RUNNING
    assert await read(SECOND) == WAITING
    seed.advance(73)
    assert await read(FIRST) == ENDED
    assert await read(SECOND) == ADOPTED
    assert [row.protocol for row in seed.ledger] == ["ACS3"] * 7


async def test_listing_without_biz_date_is_refused(
    seed: RunningEmulator, rpc_to: Callable[[RunningEmulator], Rpc]
) -> None:
    reply = await rpc_to(seed)("ListWorkflowInstances", ProjectId=257880, Name="devinTestSparkSQL20run1")

    assert (reply.status, reply.body["Code"]) == (400, "MissingBizDate")


def _sdk_create() -> models.CreateWorkflowInstancesRequest:
    properties = models.CreateWorkflowInstancesRequestDefaultRunProperties(
        analysis=models.CreateWorkflowInstancesRequestDefaultRunPropertiesAnalysis(enabled=False, blocked=False),
        parallelism=1,
        root_task_ids=[1023697426],
        mode="AllDownstream",
    )
    dates = models.CreateWorkflowInstancesRequestPeriodsBizDates(start_biz_date="2025-02-05", end_biz_date="2025-02-06")
    return models.CreateWorkflowInstancesRequest(
        default_run_properties=properties,
        env_type="Prod",
        project_id=257880,
        workflow_id=5188541262300189362,
        name="devinTestSparkSQL20run1",
        periods=models.CreateWorkflowInstancesRequestPeriods(biz_dates=[dates]),
        type="SupplementData",
        auto_start_enabled=False,
    )
