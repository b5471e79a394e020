"""Flow instances and what happens to them."""

from __future__ import annotations

from dataclasses import replace

from headgate_emulator.app import RunningEmulator
from headgate_emulator.enos.rules import FlowSpec
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
