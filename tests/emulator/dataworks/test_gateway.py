"""The protocol over real HTTP: envelopes, parameters, lists, tasks and logs."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from alibabacloud_dataworks_public20240518 import models
from alibabacloud_dataworks_public20240518.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException, ThrottlingException

from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks.quota import Limits
from headgate_emulator.faults import DryRun, FailRun
from tests.emulator.conftest import FORM, Reply, Rpc, acs3_headers, reply_of, rpc1_query

FIRST, SECOND = 1000341554601, 1000341554605
BIZ_DATE = 1738684800000
Admin = Callable[..., Awaitable[Reply]]


async def backfill(rpc: Rpc, emulator: RunningEmulator, params: dict[str, Any], *, start: bool = True) -> None:
    await rpc("CreateWorkflowInstances", **params)
    emulator.advance(1)
    if start:
        await rpc("StartWorkflowInstances", Ids=[FIRST, SECOND])


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


async def listed(rpc: Rpc, **params: Any) -> list[int]:
    reply = await rpc("ListWorkflowInstances", **{"ProjectId": 257880, "BizDate": BIZ_DATE, **params})
    return [row["Id"] for row in reply.body["PagingInfo"]["WorkflowInstances"]]


async def test_a_list_shows_one_date_filtered_and_sorted(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    await backfill(rpc, emulator, seed_create | {"Tags": [{"Key": "team", "Value": "a"}]})
    await backfill(rpc, emulator, seed_create | {"Name": "another"}, start=False)
    third = FIRST + 8

    assert await listed(rpc) == [third, FIRST]
    assert await listed(rpc, SortBy="Id Asc") == await listed(rpc, SortBy="CreateTime") == [FIRST, third]
    assert await listed(rpc, SortBy="StartedTime Desc") == [FIRST, third]
    assert await listed(rpc, Name="SPARKsql") == [FIRST]
    assert await listed(rpc, Ids=[SECOND, third]) == [third]
    assert await listed(rpc, Filter={"status": "Running"}) == [FIRST]
    assert await listed(rpc, Filter={"status": ["NotRun", "Failure"]}) == [third]
    assert await listed(rpc, Tags=["team:"]) == await listed(rpc, Tags=["x:y", "team:a"]) == [FIRST]
    assert await listed(rpc, Tags=["team:b"]) == []
    assert await listed(rpc, Type="Normal") == await listed(rpc, EnvType="Dev") == []
    assert await listed(rpc, PageSize=1, PageNumber=2) == [FIRST]


async def test_new_instances_can_be_late_in_lists_but_not_in_get(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.world.rules = replace(emulator.world.rules, listing_lag_seconds=5)
    await backfill(rpc, emulator, seed_create, start=False)

    assert (await rpc("GetWorkflowInstance", query=True, Id=FIRST)).status == 200
    assert await listed(rpc) == []
    emulator.advance(5)
    assert await listed(rpc) == [FIRST]


async def task_rows(rpc: Rpc, **params: Any) -> list[dict[str, Any]]:
    reply = await rpc("ListTaskInstances", **{"ProjectId": 257880, "Bizdate": BIZ_DATE, **params})
    rows: list[dict[str, Any]] = reply.body["PagingInfo"]["TaskInstances"]
    return rows


async def test_tasks_run_one_after_another_and_write_logs(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    properties = {
        "Mode": "ManualSelection",
        "RootTaskIds": [1, 2],
        "Parallelism": 1,
        "Analysis": {"Enabled": False, "Blocked": False},
    }
    await backfill(rpc, emulator, seed_create | {"DefaultRunProperties": properties}, start=False)
    assert [row["Status"] for row in await task_rows(rpc)] == ["NotRun", "NotRun"]
    await rpc("StartWorkflowInstances", Ids=[FIRST])

    emulator.advance(3)
    rows = await task_rows(rpc, SortBy="Id Asc", WorkflowInstanceId=FIRST)
    assert [(row["TaskName"], row["Status"]) for row in rows] == [("task_1", "Success"), ("task_2", "Running")]

    emulator.advance(2)
    assert [row["Status"] for row in await task_rows(rpc, TaskIds=[2])] == ["Success"]
    log = await rpc("GetTaskInstanceLog", query=True, Id=rows[1]["Id"])
    assert log.body["TaskInstanceLog"].endswith("exit code 0\n")


async def test_a_failed_run_names_its_task_and_shows_its_log(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.faults.add([FailRun(task_name="load_orders", log="FAILED: table not found")])
    await backfill(rpc, emulator, seed_create)
    emulator.advance(5)

    (row,) = await task_rows(rpc)
    detail = (await rpc("GetTaskInstance", query=True, Id=row["Id"])).body["TaskInstance"]
    log = (await rpc("GetTaskInstanceLog", query=True, Id=row["Id"])).body["TaskInstanceLog"]

    assert (row["TaskName"], row["Status"], row["RunNumber"]) == ("load_orders", "Failure", 1)
    parameters = row.pop("ScriptParameters")
    assert detail == row | {
        "Script": {"Content": "", "Parameters": parameters},
        "Outputs": {"TaskOutputs": [{"Output": "257880.1023697426_out"}]},
        "Tags": [],
    }
    assert "FAILED: table not found" in log


async def test_reruns_keep_the_history_of_a_task(
    rpc: Rpc, admin: Admin, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.faults.add([FailRun()])
    await backfill(rpc, emulator, seed_create)
    emulator.advance(5)
    await admin("POST", "/_admin/foreign", {"action": "rerun", "ids": [FIRST]})
    emulator.advance(5)
    (latest,) = await task_rows(rpc)

    history = await task_rows(rpc, Id=latest["Id"])
    first_log = await rpc("GetTaskInstanceLog", query=True, Id=latest["Id"], RunNumber=1)
    no_log = await rpc("GetTaskInstanceLog", query=True, Id=latest["Id"], RunNumber=3)

    assert [(row["RunNumber"], row["Status"]) for row in history] == [(1, "Failure"), (2, "Success")]
    assert "exit code 1" in first_log.body["TaskInstanceLog"]
    assert no_log.body["Code"] == "InvalidRunNumber.NotFound"


async def test_a_dry_run_is_a_success_that_did_nothing(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.faults.add([DryRun()])
    await backfill(rpc, emulator, seed_create)
    emulator.advance(5)

    (row,) = await task_rows(rpc)
    log = (await rpc("GetTaskInstanceLog", query=True, Id=row["Id"])).body["TaskInstanceLog"]

    assert (row["Status"], row["TriggerRecurrence"]) == ("Success", "Skip")
    assert "dry run" in log


async def test_one_task_may_run_dry_and_the_lists_filter_finds_it(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.faults.add([DryRun(task_name="task_2")])
    properties = {
        "Mode": "ManualSelection",
        "RootTaskIds": [1, 2, 3],
        "Parallelism": 1,
        "Analysis": {"Enabled": False, "Blocked": False},
    }
    await backfill(rpc, emulator, seed_create | {"DefaultRunProperties": properties})
    emulator.advance(5)

    dry = await task_rows(rpc, TriggerRecurrence="Skip", Status="Success")
    others = await task_rows(rpc, TriggerRecurrence="Normal", TriggerType="Scheduler")

    assert [row["TaskName"] for row in dry] == ["task_2"]
    assert {row["TaskName"] for row in others} == {"task_1", "task_3"}


async def test_a_stopped_task_was_killed(rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]) -> None:
    await backfill(rpc, emulator, seed_create)
    stopped = await rpc("StopWorkflowInstances", Ids=[FIRST])
    emulator.advance(1)

    (row,) = await task_rows(rpc, Status="Failure")

    assert stopped.body["SuccessInfo"] == {str(FIRST): {"Success": True}}
    log = (await rpc("GetTaskInstanceLog", query=True, Id=row["Id"])).body["TaskInstanceLog"]
    assert "killed" in log


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
