"""What a create makes: dates, tasks, names and parents."""

import json
from typing import Any

import pytest

from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.instances import TaskSpec
from tests.emulator.worlds import NOW, backfill, created, manual, world_of


def test_descending_order_starts_with_the_last_date() -> None:
    world = world_of()
    first, second = created(world, backfill(Properties={"Order": "Desc"}))

    entries = world.start([first, second], NOW)

    assert (entries[first].success, entries[second].success) == (False, True)


def test_instances_report_what_seed_000_reports() -> None:
    world = world_of(listing_lag_seconds=4)
    created(world, backfill())

    one = world.instances[0]

    assert (one.workflow_id, one.create_user, one.modify_user) == (1, "200527038829996354", "200527038829996354")
    assert (one.create_time, one.modify_time, one.visible_at) == (NOW, NOW, NOW + 4000)
    assert one.run.started_at is one.run.finished_at is None


def test_a_manual_workflow_keeps_its_own_id_and_takes_yesterday() -> None:
    world = world_of()
    created(world, manual())

    assert (world.instances[0].workflow_id, world.instances[0].type) == (77, "ManualWorkflow")
    assert world.instances[0].biz_date == 1738857600000  # NOW is on 2025-02-08 in UTC+8


def test_downstream_tasks_come_from_the_catalogue() -> None:
    tasks = (TaskSpec(id=1, name="a", downstream=(2, 3)), TaskSpec(id=2, name="b", downstream=(3,)))
    world = world_of(tasks=tasks)
    created(world, backfill(1, Properties={"ExcludeTaskIds": [2]}))
    created(world, backfill(1))

    assert [[task.spec.name for task in one.tasks] for one in world.instances] == [
        ["a", "task_3"],
        ["a", "b", "task_3"],
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Periods": ""}, "MissingPeriods"),
        ({"DefaultRunProperties": ""}, "MissingDefaultRunProperties"),
        ({"DefaultRunProperties": "{}"}, "MissingParallelism"),
        ({"Properties": {"Analysis": None}}, "MissingAnalysis"),
        ({"Properties": {"RootTaskIds": []}}, "MissingRootTaskIds"),
        ({"Properties": {"RootTaskIds": [1, 2]}}, "InvalidParameter"),
        ({"Properties": {"Mode": "Chain"}}, "InvalidParameter"),
        ({"Periods": '{"BizDates":[{"StartBizDate":"2025-02-06","EndBizDate":"2025-02-05"}]}'}, "InvalidParameter"),
        ({"Periods": '{"BizDates":[{"StartBizDate":"1925-02-06","EndBizDate":"2025-02-05"}]}'}, "InvalidParameter"),
        (
            {
                "Periods": '{"BizDates":[{"StartBizDate":"2025-02-06","EndBizDate":"2025-02-06"}],'
                '"StartTime":"00:00:00"}'
            },
            "MissingEndTime",
        ),
    ],
)
def test_a_create_that_makes_no_sense_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ApiError) as caught:
        world_of().create(backfill(**changes), NOW)

    assert caught.value.refusal.code == code


def test_an_undocumented_member_can_be_demanded() -> None:
    world = world_of(require_bizdate_intervals=True)

    with pytest.raises(ApiError, match="BizdateIntervals not set"):
        world.create(manual(Type="SmokeTest"), NOW)


def test_overlapping_ranges_give_each_date_once() -> None:
    one = {"StartBizDate": "2025-02-05", "EndBizDate": "2025-02-06"}
    world = world_of()

    assert len(created(world, backfill(Periods=json.dumps({"BizDates": [one, one]})))) == 2
