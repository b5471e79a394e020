"""Flow instances and what happens to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.enos import errors
from headgate_emulator.enos.errors import EnosError
from headgate_emulator.enos.rules import SEED_FLOWS, FlowRules, FlowSpec, FlowTask
from headgate_emulator.enos.world import FlowWorld, Trigger
from headgate_emulator.fault_book import FaultBook
from headgate_emulator.faults import FailRun, RunFor, StuckStop
from tests.emulator.enos.conftest import NOW_MS, ByHand, trigger


async def _status(by_hand: ByHand, instance_id: str) -> str:
    reply = await by_hand("flowInstances", "get", flowInstId=instance_id)
    found: str = reply["data"]["statusDesc"]
    return found


async def test_one_instance_of_a_flow_runs_and_the_others_queue(by_hand: ByHand, emulator: RunningEmulator) -> None:
    first, second = await trigger(by_hand), await trigger(by_hand, NOW_MS + 1000)
    assert first == "2809-20250208214320"
    assert (await _status(by_hand, first), await _status(by_hand, second)) == ("RUNNING", "INIT")

    emulator.advance(2)
    assert await _status(by_hand, second) == "WAIT"
    emulator.advance(3)
    assert (await _status(by_hand, first), await _status(by_hand, second)) == ("SUCCESS", "RUNNING")
    emulator.advance(5)
    assert await _status(by_hand, second) == "SUCCESS"


async def test_a_cancel_of_a_waiting_one_starts_nothing(by_hand: ByHand, emulator: RunningEmulator) -> None:
    ids = [await trigger(by_hand, NOW_MS - 1000 * place) for place in range(3)]

    await by_hand("flowInstances", "cancel", body={"flowInstId": ids[1]})
    assert [await _status(by_hand, one) for one in ids] == ["RUNNING", "CANCEL", "WAIT"]
    await by_hand("flowInstances", "cancel", body={"flowInstId": ids[0]})
    emulator.advance(1)
    assert [await _status(by_hand, one) for one in ids] == ["CANCEL", "CANCEL", "RUNNING"]


async def test_a_flow_without_tasks_is_not_triggered(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, flows=(FlowSpec(id=7, name="empty"),))

    reply = await by_hand("flows", "trigger", body={"flowId": 7, "triggerTime": NOW_MS})

    assert reply["status"] == 62104


def world_of(*faults: Any, **rules: Any) -> FlowWorld:
    return FlowWorld(FlowRules(**rules), FaultBook(faults), [])


def triggered(world: FlowWorld, at_ms: int = NOW_MS, **wish: Any) -> str:
    return world.trigger(Trigger(**{"flow_id": 2809, "trigger_ms": at_ms, **wish}), NOW_MS)


def statuses(world: FlowWorld, seconds: float) -> list[str]:
    world.advance(NOW_MS + round(seconds * 1_000))
    return [one.status.name for one in world.instances]


def test_a_trigger_in_the_future_waits_for_its_time() -> None:
    world = world_of()
    triggered(world, NOW_MS + 10_000)

    assert [statuses(world, at) for at in (9.999, 10, 15)] == [["INIT"], ["RUNNING"], ["SUCCESS"]]


@pytest.mark.parametrize(
    ("guard", "from_task", "refused"),
    [("from_task", 0, False), ("from_task", 104890, True), ("all", 0, True), ("none", 104890, False)],
)
def test_which_triggers_within_a_minute_are_refused_is_a_rule(guard: str, from_task: int, refused: bool) -> None:
    world = world_of(minute_guard=guard)
    triggered(world, NOW_MS // 60_000 * 60_000)

    assert isinstance(outcome(lambda: triggered(world, NOW_MS, from_task=from_task)), int) is refused
    assert not isinstance(outcome(lambda: triggered(world, NOW_MS + 60_000, from_task=from_task)), int)


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except EnosError as error:
        return error.code


def test_a_cancel_of_a_running_instance_settles_later_and_a_stuck_one_never() -> None:
    world = world_of(StuckStop(), cancel_seconds=2)
    instance = triggered(world)

    world.cancel(instance, NOW_MS)
    assert statuses(world, 3) == ["RUNNING"]
    world.cancel(instance, NOW_MS + 3_000)
    assert [statuses(world, 4.9), statuses(world, 5)] == [["RUNNING"], ["CANCEL"]]
    assert statuses(world, 60) == ["CANCEL"]  # the end of its run came after


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda world: triggered(world, flow_id=1), errors.BAD_REQUEST),
        (lambda world: triggered(world, from_task=7), errors.BAD_REQUEST),
        (lambda world: world.instance("1-1", NOW_MS), errors.BAD_REQUEST),
        (lambda world: world.task("1-1", NOW_MS), errors.BAD_REQUEST),
        (lambda world: world.cancel("1-1", NOW_MS), errors.BAD_REQUEST),
        (lambda world: world.cancel(triggered(world, flow_id=5), NOW_MS), errors.NO_PRIVILEGE),
    ],
)
def test_what_is_not_there_or_not_allowed_is_refused(call: Callable[[FlowWorld], object], code: int) -> None:
    guarded = FlowSpec(id=5, name="guarded", tasks=(FlowTask(id=1, name="t"),), editable=False)

    assert outcome(lambda: call(world_of(flows=(*SEED_FLOWS, guarded)))) == code


def test_instances_of_one_moment_have_ids_of_their_own() -> None:
    world = world_of()

    assert [triggered(world) for _ in range(3)] == [
        "2809-20250208214320",
        "2809-20250208214320-1",
        "2809-20250208214320-2",
    ]


def test_a_date_may_run_longer_and_fail_in_a_task() -> None:
    world = world_of(RunFor(seconds=30), FailRun(task_name="tass", log="no table"))
    triggered(world)

    assert [statuses(world, 29), statuses(world, 30)] == [["RUNNING"], ["FAIL"]]
    assert (world.instances[0].fail_task, world.instances[0].fail_log) == ("tass", "no table")


def test_a_task_instance_is_found_with_its_flow_instance() -> None:
    world = world_of()
    first, second = triggered(world), triggered(world, NOW_MS + 60_000)

    one, task = world.task(f"104890-{second.partition('-')[2]}", NOW_MS)
    assert (one.id, task.name) == (second, "tass") and first != second
