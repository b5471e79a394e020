"""How EnOS prints a flow instance."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import FailRun
from tests.emulator.enos.conftest import ByHand, trigger
from tests.worker.upstream.enos.samples import SECOND_ID


async def test_the_reply_can_be_printed_as_in_the_seed(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, graph="unescaped")

    text = await by_hand.text("flowInstances", "get", flowInstId=SECOND_ID)

    assert '"graph": "{"creator":"yourCreator",' in text
    with pytest.raises(ValueError, match="delimiter"):
        json.loads(text)


async def test_a_failed_task_is_in_graph_and_log(by_hand: ByHand, emulator: RunningEmulator) -> None:
    emulator.faults.add([FailRun(name="21", task_name="tass", log="no such table")])
    instance_id = await trigger(by_hand)
    emulator.advance(5)

    reply = await by_hand("flowInstances", "get", flowInstId=instance_id)
    task = json.loads(reply["data"]["graph"])["tasks"][0]
    log = await by_hand("taskInstances", "getLog", taskInstId=task["taskInstId"])
    assert (reply["data"]["statusDesc"], task["status"]) == ("FAIL", "FAIL")
    assert "no such table" in log["data"]["log"]
