"""The protocol over real HTTP: envelopes, parameters, lists, tasks and logs."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from alibabacloud_dataworks_public20240518 import models
from alibabacloud_dataworks_public20240518.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException, ThrottlingException

from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks.quota import Limits
from tests.emulator.conftest import BIZ_DATE, FORM, Admin, Rpc, acs3_headers, backfill, reply_of, rpc1_query


async def test_a_refusal_has_the_five_members_of_the_envelope(rpc: Rpc) -> None:
    reply = await rpc("GetWorkflowInstance", query=True, Id=5)

    assert reply.status == 404
    assert set(reply.body) == {"Code", "Message", "RequestId", "HostId", "Recommend"}
    assert all(isinstance(member, str) for member in reply.body.values())
    assert reply.body["HostId"].startswith("127.0.0.1:")
    assert reply.headers["x-acs-request-id"] == reply.body["RequestId"]


async def test_the_sdk_raises_our_refusals_with_their_code(
    emulator: RunningEmulator, sdk_to: Callable[[RunningEmulator], Client]
) -> None:
    with pytest.raises(ClientException) as caught:
        await sdk_to(emulator).get_workflow_instance_async(models.GetWorkflowInstanceRequest(id=5))

    assert (caught.value.code, caught.value.status_code) == ("InvalidWorkflowInstance.NotFound", 404)


async def test_the_sdk_reads_how_long_to_wait(
    emulator: RunningEmulator, sdk_to: Callable[[RunningEmulator], Client]
) -> None:
    emulator.state.quota.limits = Limits(read_qps=0, retry_after_ms=400)

    with pytest.raises(ThrottlingException) as caught:
        await sdk_to(emulator).get_workflow_instance_async(models.GetWorkflowInstanceRequest(id=5))

    assert (caught.value.code, caught.value.retry_after) == ("Throttling.User", 400)


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"Action": "Nonsense"}, "InvalidApi.NotFound", 404),
        ({"Version": "2020-05-18"}, "InvalidVersion", 400),
        ({"AccessKeyId": "nobody"}, "InvalidAccessKeyId.NotFound", 404),
        ({"Timestamp": "2001-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired", 400),
        ({"SignatureMethod": "HMAC-MD5"}, "InvalidSignatureMethod", 400),
    ],
)
async def test_the_gateway_refuses_before_it_looks_at_parameters(
    http: aiohttp.ClientSession, emulator: RunningEmulator, change: dict[str, str], code: str, status: int
) -> None:
    query = rpc1_query("GET", "GetWorkflowInstance", {}, change)

    async with http.get(emulator.url, params=query) as response:
        reply = await reply_of(response)

    assert (reply.body["Code"], reply.status) == (code, status)
    row = next(iter(emulator.ledger))
    assert (row.code, row.status, row.applied) == (code, status, False)


async def test_another_method_or_path_is_not_an_api(http: aiohttp.ClientSession, emulator: RunningEmulator) -> None:
    async with http.put(emulator.url, params=rpc1_query("PUT", "GetWorkflowInstance", {}, {})) as response:
        assert (await reply_of(response)).body["Code"] == "UnsupportedHTTPMethod"
    async with http.get(f"{emulator.url}/x", params=rpc1_query("GET", "GetWorkflowInstance", {}, {})) as response:
        assert (await reply_of(response)).body["Code"] == "InvalidApi.NotFound"


async def test_a_request_that_is_sent_twice_is_refused_the_second_time(
    http: aiohttp.ClientSession, emulator: RunningEmulator
) -> None:
    query = rpc1_query("GET", "GetWorkflowInstance", {}, {"Id": "1"})
    codes = []

    for _ in range(2):
        async with http.get(emulator.url, params=query) as response:
            codes.append((await reply_of(response)).body["Code"])

    assert codes == ["InvalidWorkflowInstance.NotFound", "SignatureNonceUsed"]


async def test_a_hand_signed_acs3_request_is_read_by_its_header(
    http: aiohttp.ClientSession, emulator: RunningEmulator
) -> None:
    body = b"Ids=%5B5%5D&Comment=a+b"
    headers = acs3_headers("POST", "StartWorkflowInstances", emulator.endpoint, body, {}, content_type=FORM)

    async with http.post(emulator.url, data=body, headers=headers) as response:
        reply = await reply_of(response)

    assert reply.body["SuccessInfo"] == {"5": {"Success": False, "Message": "The instance does not exist."}}
    assert next(iter(emulator.ledger)).params == {"Ids": "[5]", "Comment": "a b"}


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("GetWorkflowInstance", {}, "MissingId"),
        ("GetWorkflowInstance", {"Id": "five"}, "InvalidParameter"),
        ("GetWorkflowInstance", {"Id": str(2**63)}, "InvalidParameter"),
        ("StartWorkflowInstances", {}, "MissingIds"),
        ("StopWorkflowInstances", {"Ids": "[instance_id1,instance_id2]"}, "InvalidParameter"),
        ("StartWorkflowInstances", {"Ids": list(range(1001))}, "InvalidParameter"),
        ("ListWorkflowInstances", {"ProjectId": 1}, "MissingBizDate"),
        ("ListWorkflowInstances", {"ProjectId": 1, "BizDate": 1, "PageSize": 501}, "InvalidParameter"),
        ("ListWorkflowInstances", {"ProjectId": 1, "BizDate": 1, "SortBy": "Name"}, "InvalidParameter"),
        ("ListTaskInstances", {"ProjectId": 1}, "MissingBizdate"),
        ("CreateWorkflowInstances", {"ProjectId": 1}, "MissingWorkflowId"),
        ("GetCreateWorkflowInstancesResult", {}, "MissingOperationId"),
        ("RerunWorkflowInstances", {"ProjectId": 1, "WorkflowId": 1, "Type": "Normal"}, "InvalidParameter"),
    ],
)
async def test_parameters_are_checked_by_name_and_type(
    rpc: Rpc, action: str, params: dict[str, Any], code: str
) -> None:
    reply = await rpc(action, **params)

    assert (reply.body["Code"], reply.status) == (code, 400)


@pytest.mark.parametrize("spelling", ["True", "true"])
async def test_both_spellings_of_a_boolean_are_read(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any], spelling: str
) -> None:
    await backfill(rpc, emulator, seed_create | {"AutoStartEnabled": spelling}, start=False)

    assert [one.status for one in emulator.world.instances] == ["Running", "NotRun"]


async def test_every_parameter_may_come_in_query_or_form(
    http: aiohttp.ClientSession, emulator: RunningEmulator
) -> None:
    form, extra = {"ProjectId": "257880"}, {"BizDate": str(BIZ_DATE), "PageNumber": "3"}
    query = rpc1_query("POST", "ListWorkflowInstances", form, extra)

    async with http.post(emulator.url, params=query, data=form) as response:
        reply = await reply_of(response)

    expected = {"PageNumber": 3, "PageSize": 10, "TotalCount": 0, "WorkflowInstances": []}
    assert reply.body["PagingInfo"] == expected


async def test_ad_hoc_and_rerun_go_through_the_sdk(
    emulator: RunningEmulator, sdk_to: Callable[[RunningEmulator], Client]
) -> None:
    sdk = sdk_to(emulator)
    task = models.ExecuteAdhocWorkflowInstanceRequestTasks(
        client_unique_code="c1",
        name="t",
        type="ODPS_SQL",
        owner="200",
        runtime_resource=models.ExecuteAdhocWorkflowInstanceRequestTasksRuntimeResource(resource_group_id="g"),
        script=models.ExecuteAdhocWorkflowInstanceRequestTasksScript(content="select '报表'"),
    )
    request = models.ExecuteAdhocWorkflowInstanceRequest(
        project_id=1, name="a", owner="200", env_type="Dev", biz_date=BIZ_DATE, tasks=[task]
    )

    identity = (await sdk.execute_adhoc_workflow_instance_async(request)).body.workflow_instance_id
    got = await sdk.get_workflow_instance_async(models.GetWorkflowInstanceRequest(id=identity))
    rerun = models.RerunWorkflowInstancesRequest(project_id=1, type="ManualWorkflow", workflow_id=1)
    operation = (await sdk.rerun_workflow_instances_async(rerun)).body.operation_id
    emulator.advance(1)
    poll = models.GetRerunWorkflowInstancesResultRequest(operation_id=operation)
    result = (await sdk.get_rerun_workflow_instances_result_async(poll)).body.result

    found = got.body.workflow_instance
    assert (found.status, found.owner, found.biz_date) == ("Running", "200", BIZ_DATE)
    assert emulator.world.instances[0].tasks[0].spec.content == "select '报表'"
    assert result.to_map() == {"Status": "Failure", "FailureMessage": "No instance matches."}


async def test_the_ledger_tells_who_asked_what_and_never_a_secret(
    rpc: Rpc, admin: Admin, emulator: RunningEmulator
) -> None:
    reply = await rpc("GetWorkflowInstance", query=True, Id=5)

    ledger = await admin("GET", "/_admin/ledger")

    assert ledger.body["total"] == 1
    assert ledger.body["rows"] == [
        {
            "seq": 1,
            "at_ms": emulator.clock.now_ms(),
            "action": "GetWorkflowInstance",
            "params": {"Id": "5"},
            "access_key": "testid",
            "protocol": "RPC1",
            "status": 404,
            "code": "InvalidWorkflowInstance.NotFound",
            "request_id": reply.body["RequestId"],
            "applied": False,
            "fault": None,
        }
    ]
    assert b"testsecret" not in ledger.raw


async def test_thousands_of_parameters_are_no_request(http: aiohttp.ClientSession, emulator: RunningEmulator) -> None:
    async with http.post(emulator.url, data={f"p{n}": "x" for n in range(2000)}) as response:
        assert response.status == 400
