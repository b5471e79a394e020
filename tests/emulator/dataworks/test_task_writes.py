"""Writes about single task instances, in the world by itself."""

from __future__ import annotations

import pytest

from headgate_emulator.dataworks.statuses import Status
from headgate_emulator.dataworks.task_writes import ACTS, on_tasks
from headgate_emulator.dataworks.tasks import TaskRow, task_row, trigger_recurrence
from headgate_emulator.dataworks.world import World
from headgate_emulator.faults import FailRun, StuckStop
from tests.emulator.worlds import NOW, backfill, created, world_of

SECOND = 1_000


def rows(world: World, instance: int, now: int) -> list[TaskRow]:
    found = world.instance(instance, now)
    return [task_row(found, task.id, now) for task in found.tasks]


def told(world: World, instance: int, now: int) -> list[tuple[str, int]]:
    return [(str(row.status), row.run_number) for row in rows(world, instance, now)]


def write(world: World, action: str, identity: int, now: int) -> bool:
    return on_tasks(world, ACTS[action], [identity], now)[identity].success


@pytest.fixture
def failed() -> tuple[World, int, int]:
    """An instance whose first task has failed, and when that was."""
    world = world_of(FailRun(task_name="load_orders"), run_seconds=10)
    instance = created(world, backfill(1))[0]
    world.start([instance], NOW)
    now = NOW + 10 * SECOND
    assert world.instance(instance, now).status is Status.FAILURE
    return world, instance, now


def first_failed(world: World, instance: int, now: int) -> TaskRow:
    return next(row for row in rows(world, instance, now) if row.status is Status.FAILURE)


def test_a_rerun_task_begins_a_run_and_its_instance_succeeds(failed: tuple[World, int, int]) -> None:
    world, instance, now = failed
    task = first_failed(world, instance, now)

    assert write(world, "RerunTaskInstances", task.task.id, now)
    assert world.instance(instance, now).status is Status.RUNNING
    again = task_row(world.instance(instance, now + 1), task.task.id, now + 1)
    assert (again.status, again.run_number) == (Status.RUNNING, 2)
    world.advance(now + 10 * SECOND)
    assert world.instance(instance, now + 10 * SECOND).status is Status.SUCCESS
    assert {status for status, _ in told(world, instance, now + 10 * SECOND)} == {"Success"}


def test_tasks_before_the_rerun_one_have_not_run_again() -> None:
    world = world_of(run_seconds=10)
    instance = created(world, backfill(1))[0]
    world.start([instance], NOW)
    now = NOW + 10 * SECOND
    last = rows(world, instance, now)[-1]
    assert write(world, "RerunTaskInstances", last.task.id, now)

    numbers = [number for _, number in told(world, instance, now + 10 * SECOND)]
    assert numbers == [1] * (len(numbers) - 1) + [2]
    assert rows(world, instance, now + 10 * SECOND)[-1].started_at == now


def test_a_task_set_to_success_lets_those_behind_it_run(failed: tuple[World, int, int]) -> None:
    world, instance, now = failed
    task = first_failed(world, instance, now)

    assert write(world, "SetSuccessTaskInstances", task.task.id, now)
    row = task_row(world.instance(instance, now), task.task.id, now)
    assert (row.status, row.run_number) == (Status.SUCCESS, 1)
    world.advance(now + 10 * SECOND)
    assert world.instance(instance, now + 10 * SECOND).status is Status.SUCCESS
    assert not write(world, "SetSuccessTaskInstances", task.task.id, now + 10 * SECOND)


def test_the_last_task_set_to_success_ends_its_instance_and_releases_its_children() -> None:
    world = world_of(FailRun(), run_seconds=10, auto_start="success_only", auto_start_delay_seconds=1)
    first, second = created(world, backfill())
    world.start([first, second], NOW)
    now = NOW + 10 * SECOND
    last = rows(world, first, now)[-1]
    assert last.status is Status.FAILURE

    assert write(world, "SetSuccessTaskInstances", last.task.id, now)
    assert world.instance(first, now).status is Status.SUCCESS
    assert world.instance(second, now + SECOND).status is Status.RUNNING


def test_a_stopped_task_ends_in_failure_with_its_instance() -> None:
    world = world_of(run_seconds=10, stop_seconds=2)
    instance = created(world, backfill(1))[0]
    world.start([instance], NOW)
    now = NOW + 1
    running = rows(world, instance, now)[0]

    assert write(world, "StopTaskInstances", running.task.id, now)
    assert told(world, instance, now + SECOND)[0][0] == "Running"
    assert told(world, instance, now + 2 * SECOND)[0][0] == "Failure"
    assert not write(world, "StopTaskInstances", running.task.id, now + 2 * SECOND)


def test_a_stop_of_a_task_can_stick_like_any_other() -> None:
    world = world_of(StuckStop(), run_seconds=10, stop_seconds=2)
    instance = created(world, backfill(1))[0]
    world.start([instance], NOW)
    now = NOW + 1
    running = rows(world, instance, now)[0]

    assert write(world, "StopTaskInstances", running.task.id, now)
    assert told(world, instance, NOW + 60 * SECOND)[-1][0] != "Success"


def test_a_suspended_task_shows_it_until_it_is_resumed() -> None:
    world = world_of()
    instance = created(world, backfill(1))[0]
    task = rows(world, instance, NOW)[0].task.id

    shown = []
    for action in ("SuspendTaskInstances", "ResumeTaskInstances"):
        assert write(world, action, task, NOW)
        shown.append(trigger_recurrence(rows(world, instance, NOW)[0]))
    assert shown == ["Pause", "Normal"]


@pytest.mark.parametrize("action", ["RerunTaskInstances", "SetSuccessTaskInstances", "StopTaskInstances"])
def test_what_the_status_does_not_allow_is_refused_alone(action: str) -> None:
    world = world_of()
    instance = created(world, backfill(1))[0]
    task = rows(world, instance, NOW)[0].task.id

    entries = on_tasks(world, ACTS[action], [task, 5], NOW)
    assert [entry.success for entry in entries.values()] == [False, False]
    assert "NotRun" in str(entries[task].message)
