"""The adapter against the emulator: every call, tokens that end, faults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate import pb
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import LostReply, MalformedReply
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.upstream.enos.client import Enos
from headgate_worker.upstream.enos.settings import Generation
from tests.worker.upstream.enos.conftest import GET, NOW_MS, body, client_of, failure


@pytest.mark.parametrize("generation", ["v2.0", "v2.1"])
async def test_both_generations_serve_the_sample(emulator: RunningEmulator, generation: Generation) -> None:
    async with client_of(emulator, generation=generation) as client:
        found = await body(client, GET)

    assert found.status == pb.FLOW_INSTANCE_STATUS_SUCCESS
    assert found.graph.tasks[0].task_inst_id == "104890-20190808093200"


@pytest.mark.parametrize("form", ["string", "unescaped", "object", "double", "empty", "missing", "broken"])
async def test_no_form_of_the_graph_costs_a_poll(enos: Enos, emulator: RunningEmulator, form: Any) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, graph=form)

    found = await body(enos, GET)

    assert found.status == pb.FLOW_INSTANCE_STATUS_SUCCESS
    assert found.HasField("graph") == (form in ("string", "unescaped", "object", "double"))


async def test_trigger_list_cancel_and_log(enos: Enos, emulator: RunningEmulator) -> None:
    triggered = await body(enos, flow_calls.TriggerFlow(2809, NOW_MS, parameters=(("day", "描述"),)))
    page = await body(enos, flow_calls.ListFlows(pb.FLOW_INSTANCE_TYPE_MANUAL, NOW_MS, NOW_MS + 1))
    assert [row.instance_id for row in page.instances] == [triggered.instance_id]
    assert page.total_count == 1

    task_id = page.instances[0].graph.tasks[0].task_inst_id
    assert "begins" in (await body(enos, flow_calls.GetFlowTaskLog(task_id, 1000))).text
    assert await body(enos, flow_calls.CancelFlow(triggered.instance_id)) == flow_calls.FlowCancelled()
    emulator.advance(1)
    assert (await body(enos, flow_calls.GetFlow(triggered.instance_id))).status == pb.FLOW_INSTANCE_STATUS_CANCEL
    assert (await failure(enos, flow_calls.CancelFlow(triggered.instance_id))).kind is FailureKind.REFUSED


async def test_what_does_not_exist(enos: Enos) -> None:
    assert (await failure(enos, flow_calls.GetFlow("1-1"))).kind is FailureKind.NOT_FOUND
    assert (await failure(enos, flow_calls.CancelFlow("1-1"))).kind is FailureKind.NOT_FOUND
    assert (await failure(enos, flow_calls.GetFlowTaskLog("1-1", 5))).kind is FailureKind.NOT_FOUND
    assert (await failure(enos, flow_calls.TriggerFlow(1, NOW_MS))).kind is FailureKind.REFUSED


async def test_lost_and_spoilt_replies(enos: Enos, emulator: RunningEmulator) -> None:
    await body(enos, GET)
    emulator.faults.add(
        [LostReply(action="flows.*"), MalformedReply(action="flowInstances.get", shape="truncated")],
    )

    assert (await failure(enos, flow_calls.TriggerFlow(2809, NOW_MS))).kind is FailureKind.AMBIGUOUS
    assert (await failure(enos, GET)).kind is FailureKind.TRANSIENT
