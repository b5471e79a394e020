"""How EnOS prints a flow instance."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.enos.instances import Instance, graph_json, instance_json, reply_text, task_log, task_status
from headgate_emulator.enos.rules import FlowRules, FlowSpec, FlowTask, GraphForm
from headgate_emulator.enos.statuses import Status
from headgate_emulator.faults import FailRun
from tests.emulator.enos.conftest import NOW_MS, ByHand, trigger
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


GRAPH = '{"id":5}'
FORMS: dict[GraphForm, Any] = {
    "string": GRAPH,
    "object": {"id": 5},
    "double": json.dumps(GRAPH),
    "empty": "",
    "broken": GRAPH[:4],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_graph_of_a_reply_has_the_wanted_form(form: GraphForm) -> None:
    body = {"data": {"rows": [{"graph": GRAPH, "n": 1}], "graph": GRAPH}}

    found = json.loads(reply_text(body, form))["data"]
    assert found["graph"] == found["rows"][0]["graph"] == FORMS[form]
    assert body["data"]["graph"] == GRAPH


def test_a_graph_can_be_missing_or_not_escaped() -> None:
    body = {"data": {"graph": GRAPH, "n": 1}}

    assert json.loads(reply_text(body, "missing")) == {"data": {"n": 1}}
    assert '"graph": "{"id":5}"' in reply_text(body, "unescaped")


def one(**members: Any) -> Instance:
    tasks = (FlowTask(id=1, name="load"), FlowTask(id=2, name="join", after=(1,)))
    flow = FlowSpec(id=7, name="nightly", tasks=tasks)
    return Instance(id="7-2025", flow=flow, type=0, trigger_ms=NOW_MS, created_ms=NOW_MS, **members)


def test_of_a_failed_flow_one_task_has_failed() -> None:
    failed = one(status=Status.FAIL, fail_task="join", fail_log="no table", start_ms=NOW_MS)
    load, join = failed.flow.tasks

    assert (task_status(failed, load), task_status(failed, join)) == (Status.SUCCESS, Status.FAIL)
    assert "no table" in task_log(failed, join, FlowRules()) and "no table" not in task_log(failed, load, FlowRules())
    assert graph_json(failed, FlowRules())["relations"] == [{"from": "t_1", "to": "t_2"}]


def test_before_its_start_an_instance_has_no_log_and_no_times() -> None:
    row = instance_json(one(), FlowRules())

    assert task_log(one(), one().flow.tasks[0], FlowRules()) == ""
    assert (row["startTime"], row["endTime"]) == (None, None)
    assert instance_json(one(printed={"owner": "x"}), FlowRules())["owner"] == "x"


def test_times_are_printed_in_the_zones_of_the_rules() -> None:
    row = instance_json(one(start_ms=NOW_MS), FlowRules(trigger_zone_hours=8, run_zone_hours=-5))

    assert (row["triggerTime"], row["startTime"]) == ("2025-02-08 21:43:20", "2025-02-08 08:43:20")
    assert row["calDt"] == "2025-02-07"
