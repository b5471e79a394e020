"""The adapter against the emulator: every call, tokens that end, faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from headgate import pb
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import ErrorReply, LostReply, MalformedReply
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import Call, Failure, FailureKind, Reply
from headgate_worker.upstream.enos.client import Enos
from headgate_worker.upstream.enos.settings import EnosSettings, Generation
from tests.worker.upstream.enos.samples import SECOND_ID

NOW_MS = 1_739_022_200_000
GET = flow_calls.GetFlow(SECOND_ID)


@pytest.fixture
async def enos(emulator: RunningEmulator) -> AsyncIterator[Enos]:
    async with client_of(emulator) as client:
        yield client


def client_of(emulator: RunningEmulator, **given: Any) -> Enos:
    credentials = {"app_key": "testid", "app_secret": "testsecret", "user_id": "yourUserId", "org_id": "yourOrgId"}
    return Enos(EnosSettings(**{"endpoint": emulator.url, **credentials, **given}))


async def body(client: Enos, call: Call) -> Any:
    outcome = await client.call(call, timeout_seconds=5)
    assert isinstance(outcome, Reply), outcome
    return outcome.body


async def failure(client: Enos, call: Call) -> Failure:
    outcome = await client.call(call, timeout_seconds=5)
    assert isinstance(outcome, Failure), outcome
    return outcome


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


def tokens_of(emulator: RunningEmulator) -> list[str]:
    return [row.action for row in emulator.ledger if row.action.startswith("token.")]


@pytest.mark.parametrize("as_apim", [False, True])
async def test_a_token_that_ends_is_renewed_once_for_everybody(
    enos: Enos, emulator: RunningEmulator, as_apim: bool
) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, stale_as_apim=as_apim)
    await asyncio.gather(*(body(enos, GET) for _ in range(20)))
    assert tokens_of(emulator) == ["token.get"]

    emulator.state.tokens.expire()
    assert (await body(enos, flow_calls.TriggerFlow(2809, NOW_MS))).instance_id
    await asyncio.gather(*(body(enos, GET) for _ in range(20)))

    assert tokens_of(emulator) == ["token.get", "token.get"]
    assert len(emulator.flows.instances) == 3, "the trigger went out twice"


async def test_a_rejected_token_that_the_service_gives_again_is_replaced(enos: Enos, emulator: RunningEmulator) -> None:
    await body(enos, GET)
    emulator.faults.add([ErrorReply(action="flowInstances.get", code="1203", status=200)])

    await body(enos, GET)

    assert tokens_of(emulator) == ["token.get", "token.get", "token.refresh"]


async def test_a_token_service_that_fails_is_transient_and_one_that_refuses_is_not(emulator: RunningEmulator) -> None:
    async with client_of(emulator) as client:
        emulator.faults.add([ErrorReply(action="token.get", code="1005", status=200)])
        found = await failure(client, flow_calls.TriggerFlow(2809, NOW_MS))
    assert (found.kind, found.code) == (FailureKind.TRANSIENT, "credentials_unavailable")

    async with client_of(emulator, app_secret="wrong") as client:
        found = await failure(client, GET)
    assert found.kind is FailureKind.DENIED
    assert "wrong" not in found.message


async def test_a_proof_that_was_used_before_is_made_anew(emulator: RunningEmulator) -> None:
    def stopped() -> float:
        return emulator.clock.wall_ms() // 60_000 * 60

    clients = [Enos(client_of(emulator)._settings, clock=stopped) for _ in range(2)]
    for client in clients:
        async with client:
            await body(client, GET)

    assert [row.code for row in emulator.ledger if row.action == "token.get"] == ["", "1001", ""]


async def test_lost_and_spoilt_replies(enos: Enos, emulator: RunningEmulator) -> None:
    await body(enos, GET)
    emulator.faults.add(
        [LostReply(action="flows.*"), MalformedReply(action="flowInstances.get", shape="truncated")],
    )

    assert (await failure(enos, flow_calls.TriggerFlow(2809, NOW_MS))).kind is FailureKind.AMBIGUOUS
    assert (await failure(enos, GET)).kind is FailureKind.TRANSIENT


async def test_a_page_that_should_have_rows_is_never_taken_for_none(emulator: RunningEmulator) -> None:
    emulator.flows.rules = replace(emulator.flows.rules, first_page=0)
    async with client_of(emulator, first_page=1) as client:
        await body(client, flow_calls.TriggerFlow(2809, NOW_MS))
        found = await failure(client, flow_calls.ListFlows(pb.FLOW_INSTANCE_TYPE_MANUAL, NOW_MS, NOW_MS + 1))

    assert (found.kind, found.code) == (FailureKind.TRANSIENT, "malformed_reply")
