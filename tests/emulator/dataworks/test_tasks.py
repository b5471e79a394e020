"""The tasks of a run: which runs now, which has ended, what its log says."""

from typing import Any

from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import DryRun, FailRun
from tests.emulator.conftest import BIZ_DATE, FIRST, Admin, Rpc, backfill


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
