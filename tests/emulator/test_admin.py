"""The admin endpoints."""

from typing import Any

import pytest

from headgate_emulator.admin import FOREIGN_USER
from headgate_emulator.app import RunningEmulator
from tests.emulator.conftest import FIRST, SECOND, Admin, Rpc


async def test_health_tells_the_time(admin: Admin, emulator: RunningEmulator) -> None:
    reply = await admin("GET", "/healthz")

    assert reply.body == {"status": "ok", "now_ms": emulator.clock.now_ms()}


async def test_faults_are_switched_on_listed_and_off(admin: Admin) -> None:
    on = await admin(
        "POST",
        "/_admin/faults",
        {
            "faults": [
                {"kind": "fail_run", "biz_date": "2025-02-05", "log": "boom"},
                {"kind": "malformed_reply", "shape": "html", "action": "Get*", "count": 3},
            ]
        },
    )
    off = await admin("DELETE", "/_admin/faults")

    assert [(row["kind"], row["left"]) for row in on.body["faults"]] == [("fail_run", 1), ("malformed_reply", 3)]
    assert on.body["faults"][0]["biz_date"] == "2025-02-05"
    assert off.body == {"faults": []}


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/_admin/faults", {"faults": [{"kind": "nonsense"}]}, "faults.0"),
        ("/_admin/faults", {"faults": [{"kind": "lost_reply", "count": 0}]}, "count"),
        ("/_admin/faults", {"faults": [{"kind": "lost_reply", "acton": "Get*"}]}, "acton"),
        ("/_admin/faults", {"faults": [{"kind": "lost_reply"}] * 1001}, "at most 1000"),
        ("/_admin/rules", {"run_seconds": -1}, "run_seconds"),
        ("/_admin/rules", {"no_such_rule": 1}, "no_such_rule"),
        ("/_admin/quota", {"edition": "gold"}, "basic"),
        ("/_admin/clock", {"advance_seconds": -1}, "advance_seconds"),
        ("/_admin/foreign", {"action": "explode", "ids": []}, "action"),
        ("/_admin/reset", {"name": "../secrets"}, "name"),
        ("/_admin/reset", {"scenario": {"rules": {"auto_start": "maybe"}}}, "rules.auto_start"),
    ],
)
async def test_a_wrong_order_is_refused_by_its_place(admin: Admin, path: str, body: object, place: str) -> None:
    reply = await admin("POST", path, body)

    assert reply.status == 400
    assert place in reply.body["error"]


async def test_rules_change_one_by_one(admin: Admin, emulator: RunningEmulator) -> None:
    reply = await admin("POST", "/_admin/rules", {"auto_start": "never", "run_seconds": 7})

    assert reply.body["rules"]["auto_start"] == "never"
    assert (emulator.world.rules.run_seconds, emulator.world.rules.create_seconds) == (7.0, 1.0)


async def test_quota_takes_an_edition_and_changes_to_it(admin: Admin, emulator: RunningEmulator) -> None:
    reply = await admin("POST", "/_admin/quota", {"edition": "enterprise", "retry_after_ms": 5})

    limits = emulator.state.quota.limits
    assert (limits.read_qps, limits.write_qps, limits.retry_after_ms) == (50, 20, 5)
    assert reply.body["quota"]["daily_calls"] is None
    await admin("POST", "/_admin/quota", {})
    assert emulator.state.quota.limits.read_qps is None


async def test_time_jumps_and_changes_its_pace(admin: Admin, emulator: RunningEmulator) -> None:
    before = emulator.clock.now_ms()

    reply = await admin("POST", "/_admin/clock", {"advance_seconds": 90})
    scaled = await admin("POST", "/_admin/clock", {"time_scale": 5})

    assert reply.body == {"now_ms": before + 90_000, "time_scale": 0.0}
    assert scaled.body["time_scale"] == 5.0


async def test_ids_can_be_chosen(admin: Admin, rpc: Rpc, seed_create: dict[str, Any]) -> None:
    order = {"operation_ids": ["op-1"], "request_ids": ["R-1"], "next_instance_id": 500, "stride": 2}
    await admin("POST", "/_admin/ids", order)

    reply = await rpc("CreateWorkflowInstances", **seed_create)
    await admin("POST", "/_admin/clock", {"advance_seconds": 1})
    operations = await admin("GET", "/_admin/operations")

    assert reply.body == {"OperationId": "op-1", "RequestId": "R-1"}
    found = operations.body["operations"][0]
    assert (found["id"], found["status"], found["instance_ids"]) == ("op-1", "Created", [500, 502])


async def test_instances_show_what_only_the_emulator_knows(admin: Admin, rpc: Rpc, seed_create: dict[str, Any]) -> None:
    await rpc("CreateWorkflowInstances", **seed_create)
    await admin("POST", "/_admin/clock", {"advance_seconds": 1})
    await rpc("StartWorkflowInstances", Ids=[FIRST])

    rows = (await admin("GET", "/_admin/instances")).body["instances"]

    assert [(row["Id"], row["parents"], row["named"]) for row in rows] == [(FIRST, [], True), (SECOND, [FIRST], False)]


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["start"], "Running"),
        (["start", "stop"], "Running"),
        (["start", "succeed"], "Success"),
        (["start", "fail"], "Failure"),
        (["start", "fail", "rerun"], "Running"),
    ],
)
async def test_somebody_else_can_meddle(
    admin: Admin, rpc: Rpc, seed_create: dict[str, Any], actions: list[str], expected: str
) -> None:
    await rpc("CreateWorkflowInstances", **seed_create)
    await admin("POST", "/_admin/clock", {"advance_seconds": 1})

    for action in actions:
        reply = await admin("POST", "/_admin/foreign", {"action": action, "ids": [FIRST]})

    assert reply.body["instances"][0]["Status"] == expected
    assert reply.body["instances"][0]["ModifyUser"] == FOREIGN_USER


async def test_somebody_may_stop_an_instance_without_a_trace(
    admin: Admin, rpc: Rpc, seed_create: dict[str, Any]
) -> None:
    await rpc("CreateWorkflowInstances", **seed_create)
    await admin("POST", "/_admin/clock", {"advance_seconds": 1})
    for action in ("start", "stop"):
        await admin("POST", "/_admin/foreign", {"action": action, "ids": [FIRST], "shows_user": False})
    await admin("POST", "/_admin/clock", {"advance_seconds": 2})

    shown = (await rpc("GetWorkflowInstance", query=True, Id=FIRST)).body["WorkflowInstance"]
    assert (shown["Status"], shown["ModifyUser"]) == ("Failure", shown["CreateUser"])


async def test_meddling_with_what_cannot_move_is_a_conflict(
    admin: Admin, rpc: Rpc, seed_create: dict[str, Any]
) -> None:
    await rpc("CreateWorkflowInstances", **seed_create)
    await admin("POST", "/_admin/clock", {"advance_seconds": 1})

    for action, identity in (("succeed", FIRST), ("rerun", FIRST), ("stop", 5)):
        reply = await admin("POST", "/_admin/foreign", {"action": action, "ids": [identity]})
        assert reply.status == 409


async def test_the_ledger_can_be_read_in_parts(admin: Admin, rpc: Rpc) -> None:
    await rpc("GetWorkflowInstance", query=True, Id=1)
    await rpc("StartWorkflowInstances", Ids=[1])

    by_action = await admin("GET", "/_admin/ledger?action=StartWorkflowInstances")
    after = await admin("GET", "/_admin/ledger?after=1")
    wrong = await admin("GET", "/_admin/ledger?after=x")

    assert [row["seq"] for row in by_action.body["rows"]] == [row["seq"] for row in after.body["rows"]] == [2]
    assert wrong.status == 400


@pytest.mark.parametrize(("remote", "status"), [(False, 403), (True, 200)])
async def test_admin_calls_from_elsewhere_are_refused_unless_allowed(
    begin: Any, http: Any, monkeypatch: pytest.MonkeyPatch, remote: bool, status: int
) -> None:
    monkeypatch.setattr("headgate_emulator.admin._is_local", lambda _: False)

    async with begin(admin_remote=remote) as emulator, http.get(f"{emulator.url}/_admin/rules") as response:
        assert response.status == status


async def test_instances_of_the_scheduler_are_made_on_order(admin: Admin, emulator: RunningEmulator) -> None:
    order = {"project_id": 257880, "name": "nightly", "biz_date": "2025-02-05", "tasks": [7], "starts": False}

    made = await admin("POST", "/_admin/instances", {"scheduled": [order, order | {"type": "TriggerWorkflow"}]})
    wrong = await admin("POST", "/_admin/instances", {"scheduled": [{"name": "no place"}]})

    assert [(row["Type"], row["Status"], row["BizDate"]) for row in made.body["instances"]] == [
        ("Normal", "NotRun", 1738684800000),
        ("TriggerWorkflow", "NotRun", 1738684800000),
    ]
    assert wrong.status == 400
    assert "project_id" in wrong.body["error"]
