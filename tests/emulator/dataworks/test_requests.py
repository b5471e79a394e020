"""Ad hoc runs, reruns and what lasts in the world: time is a number, nothing is sent anywhere."""

import json
from typing import Any

import pytest

from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.requests import (
    ExecuteAdhocWorkflowInstance,
    RerunWorkflowInstances,
    read,
)
from headgate_emulator.dataworks.statuses import Status
from headgate_emulator.dataworks.world import MAX_PAST_RUNS
from headgate_emulator.faults import FailRun
from tests.emulator.worlds import NOW, backfill, created, manual, statuses, world_of


def adhoc(**changes: Any) -> ExecuteAdhocWorkflowInstance:
    task = {
        "ClientUniqueCode": "c1",
        "Name": "t",
        "Type": "ODPS_SQL",
        "Owner": "1",
        "RuntimeResource": {"ResourceGroupId": "g"},
        "Script": {"Content": "select 1"},
    }
    params = {"ProjectId": "1", "Name": "a", "Owner": "200", "Tasks": json.dumps([task]), **changes}
    return read(ExecuteAdhocWorkflowInstance, params)


def test_an_ad_hoc_instance_runs_at_once_and_its_date_is_made_midnight() -> None:
    world = world_of()

    identity = world.execute_adhoc(adhoc(BizDate="1738700000123"), NOW)

    one = world.instance(identity, NOW)
    assert (one.status, one.biz_date, one.owner) == (Status.RUNNING, 1738684800000, "200")
    assert world.instance(world.execute_adhoc(adhoc(BizDate="20250205"), NOW), NOW).biz_date == 1738684800000


def test_an_ad_hoc_instance_may_show_another_date_than_the_one_that_was_sent() -> None:
    world = world_of(adhoc_biz_date_days=-1)

    sent = world.instance(world.execute_adhoc(adhoc(BizDate="20250205"), NOW), NOW)
    assert sent.biz_date == 1738684800000 - 86_400_000


def test_an_ad_hoc_task_needs_its_client_code() -> None:
    with pytest.raises(ApiError, match="MissingClientUniqueCode"):
        adhoc(Tasks='[{"Name":"t","Type":"T","Owner":"1","RuntimeResource":{"ResourceGroupId":"g"}}]')


def rerun(**changes: Any) -> RerunWorkflowInstances:
    params = {"ProjectId": "1", "Type": "ManualWorkflow", "WorkflowId": "77", **changes}
    return read(RerunWorkflowInstances, params)


def test_a_rerun_adds_a_run_to_ended_manual_instances() -> None:
    world = world_of(FailRun())
    (one,) = created(world, manual(AutoStartEnabled="true"))

    operation = world.rerun(rerun(Ids=f"[{one}]"), NOW + 10_000)

    assert world.rerunning(operation, NOW + 10_500).status == "NotRun"
    assert world.rerunning(operation, NOW + 11_000).status == "Success"
    again = world.instance(one, NOW + 21_000)
    assert (again.status, again.run.number, [run.status for run in again.past]) == ("Success", 2, ["Failure"])


def test_a_rerun_that_matches_nothing_fails() -> None:
    world = world_of()
    created(world, backfill(AutoStartEnabled="true"))

    operation = world.rerun(rerun(), NOW + 60_000)

    assert world.rerunning(operation, NOW + 61_000).status == "Failure"


def test_only_the_last_runs_of_an_instance_are_kept() -> None:
    world = world_of(run_seconds=0)
    one = world.execute_adhoc(adhoc(), NOW)

    for _ in range(MAX_PAST_RUNS + 5):
        world.rerun_one(one, NOW)
        world.advance(NOW)

    assert len(world.instance(one, NOW).past) == MAX_PAST_RUNS


def test_a_running_instance_cannot_be_rerun() -> None:
    world = world_of()

    with pytest.raises(ApiError, match="InvalidStatus"):
        world.rerun_one(world.execute_adhoc(adhoc(), NOW), NOW)


def test_somebody_else_can_end_a_run_and_release_its_child() -> None:
    world = world_of()
    first, second = created(world, backfill())
    world.start([first, second], NOW)

    world.finish_one(first, Status.SUCCESS, NOW + 1000)
    world.touch(first, "someone", NOW + 1000)

    assert statuses(world, 1) == ["Success", "Running"]
    assert world.instance(first, NOW + 1000).modify_user == "someone"


def test_instances_are_forgotten_after_a_month() -> None:
    world = world_of()
    first, second = created(world, backfill())
    world.start([first, second], NOW)

    world.advance(NOW + 31 * 86_400_000)

    assert world.instances == []
    with pytest.raises(ApiError, match="NotFound"):
        world.instance(first, NOW)


def test_a_full_world_refuses_more() -> None:
    world = world_of(max_instances=1)
    world.execute_adhoc(adhoc(), NOW)

    with pytest.raises(ApiError, match=r"Throttling\.Resource"):
        world.create(backfill(), NOW)
