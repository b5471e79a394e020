"""Every fault of a call, as a caller meets it over HTTP."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks.quota import Limits
from headgate_emulator.faults import AppliedLate, ErrorReply, Latency, LostReply, LostRequest, MalformedReply
from tests.emulator.conftest import Rpc, rpc1_query

START = "StartWorkflowInstances"


def rows(emulator: RunningEmulator) -> list[tuple[int, bool, str | None]]:
    return [(row.status, row.applied, row.fault) for row in emulator.ledger]


async def test_a_lost_request_changes_nothing_and_does_not_use_its_nonce(
    http: aiohttp.ClientSession, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.faults.add([LostRequest(action="Create*")])
    query = rpc1_query("POST", "CreateWorkflowInstances", seed_create, {})

    with pytest.raises(aiohttp.ClientError):
        await http.post(emulator.url, params=query, data=seed_create)
    assert emulator.world.creations == {}

    async with http.post(emulator.url, params=query, data=seed_create) as again:
        assert again.status == 200
    assert rows(emulator) == [(0, False, "lost_request"), (200, True, None)]


async def test_a_lost_reply_is_applied(rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]) -> None:
    emulator.faults.add([LostReply(action="CreateWorkflowInstances")])

    with pytest.raises(aiohttp.ClientError):
        await rpc("CreateWorkflowInstances", **seed_create)

    emulator.advance(1)
    assert len(emulator.world.instances) == 2
    assert rows(emulator) == [(0, True, "lost_reply")]


async def test_a_call_can_take_effect_long_after_its_connection_is_gone(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any]
) -> None:
    emulator.faults.add([AppliedLate(action="CreateWorkflowInstances", seconds=60)])

    with pytest.raises(aiohttp.ClientError):
        await rpc("CreateWorkflowInstances", **seed_create)

    emulator.advance(59)
    assert emulator.world.creations == {}
    assert rows(emulator) == [(0, False, "applied_late")]
    emulator.advance(2)
    assert [one.create_time for one in emulator.world.instances] == [emulator.clock.now_ms()] * 2
    assert rows(emulator) == [(0, True, "applied_late")]


async def test_a_late_call_that_is_refused_by_then_has_no_effect(rpc: Rpc, emulator: RunningEmulator) -> None:
    emulator.faults.add([AppliedLate(action="GetWorkflowInstance", seconds=1)])

    with pytest.raises(aiohttp.ClientError):
        await rpc("GetWorkflowInstance", Id="5")

    emulator.advance(2)
    assert rows(emulator) == [(0, False, "applied_late")]


@pytest.mark.parametrize("applied", [True, False])
async def test_an_error_reply_may_hide_that_the_call_took_effect(
    rpc: Rpc, emulator: RunningEmulator, seed_create: dict[str, Any], applied: bool
) -> None:
    emulator.faults.add([ErrorReply(action="Create*", applied=applied, count=2, retry_after_ms=50)])

    replies = [await rpc("CreateWorkflowInstances", **seed_create) for _ in range(3)]

    assert [reply.status for reply in replies] == [500, 500, 200]
    assert replies[0].body["Code"] == "InternalError.System"
    assert replies[0].headers["x-acs-retry-after"] == "50"
    assert len(emulator.world.creations) == (3 if applied else 1)


async def test_an_error_shaped_body_may_come_with_200(rpc: Rpc, emulator: RunningEmulator) -> None:
    emulator.faults.add([ErrorReply(status=200, code="ServiceUnavailable")])

    reply = await rpc(START, Ids=[1])

    assert (reply.status, reply.body["Code"]) == (200, "ServiceUnavailable")


async def spoilt(rpc: Rpc, emulator: RunningEmulator, **fault: Any) -> Any:
    emulator.faults.add([MalformedReply(**fault)])
    return await rpc(START, Ids=[1])


async def test_a_proxys_page_can_come_with_any_status(rpc: Rpc, emulator: RunningEmulator) -> None:
    assert (await spoilt(rpc, emulator, shape="html")).status == 200
    bad_gateway = await spoilt(rpc, emulator, shape="html", status=502)

    assert bad_gateway.status == 502
    assert bad_gateway.raw.startswith(b"<html>")
    assert rows(emulator)[1] == (502, True, "malformed_reply")


async def test_half_a_json_text_is_no_json(rpc: Rpc, emulator: RunningEmulator) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        await spoilt(rpc, emulator, shape="truncated")


async def test_a_body_can_end_before_its_announced_length(rpc: Rpc, emulator: RunningEmulator) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await spoilt(rpc, emulator, shape="cut")


async def test_members_can_have_wrong_types(rpc: Rpc, emulator: RunningEmulator) -> None:
    body = (await spoilt(rpc, emulator, shape="wrong_types")).body

    assert body == {"RequestId": 4711, "SuccessInfo": {"1": {"Success": "false", "Message": 4711}}}


async def test_members_can_be_missing(rpc: Rpc, emulator: RunningEmulator) -> None:
    assert set((await spoilt(rpc, emulator, shape="missing_members")).body) == {"RequestId"}


async def test_a_body_can_be_a_list(rpc: Rpc, emulator: RunningEmulator) -> None:
    assert isinstance((await spoilt(rpc, emulator, shape="not_object")).body, list)


async def test_a_body_can_be_empty(http: aiohttp.ClientSession, emulator: RunningEmulator) -> None:
    emulator.faults.add([MalformedReply(shape="empty")])

    async with http.get(emulator.url, params=rpc1_query("GET", START, {}, {"Ids": "[1]"})) as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_a_body_can_be_huge(rpc: Rpc, emulator: RunningEmulator) -> None:
    assert len((await spoilt(rpc, emulator, shape="huge", megabytes=2)).raw) > 2 << 20


async def test_a_reply_can_point_elsewhere(rpc: Rpc, emulator: RunningEmulator) -> None:
    emulator.faults.add([MalformedReply(shape="redirect")])
    query = rpc1_query("GET", START, {}, {"Ids": "[1]"})

    async with (
        aiohttp.ClientSession() as session,
        session.get(emulator.url, params=query, allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (302, "/elsewhere")


async def test_a_body_can_drip(rpc: Rpc, emulator: RunningEmulator) -> None:
    before = time.monotonic()

    reply = await spoilt(rpc, emulator, shape="slow", seconds=0.2)

    assert set(reply.body) == {"RequestId", "SuccessInfo"}
    assert time.monotonic() - before >= 0.19


async def test_latency_is_real_time(rpc: Rpc, emulator: RunningEmulator) -> None:
    emulator.faults.add([Latency(action=START, millis=150)])
    before = time.monotonic()

    assert (await rpc(START, Ids=[1])).status == 200

    assert time.monotonic() - before >= 0.14


async def test_a_slow_call_holds_up_no_other(rpc: Rpc, emulator: RunningEmulator) -> None:
    emulator.faults.add([Latency(action=START, millis=200)])
    ended: list[str] = []

    async def call(action: str, **params: Any) -> None:
        await rpc(action, **params)
        ended.append(action)

    await asyncio.gather(call(START, Ids=[1]), call("GetWorkflowInstance", Id=1))

    assert ended == ["GetWorkflowInstance", START]


async def test_rates_are_refused_with_429_and_a_hint(rpc: Rpc, emulator: RunningEmulator) -> None:
    emulator.state.quota.limits = Limits(write_qps=0, retry_after_ms=400)

    refused = await rpc(START, Ids=[1])
    read = await rpc("GetWorkflowInstance", query=True, Id=1)

    assert (refused.status, refused.body["Code"]) == (429, "Throttling.User")
    assert refused.headers["x-acs-retry-after"] == "400"
    assert read.body["Code"] == "InvalidWorkflowInstance.NotFound"


async def test_the_daily_budget_is_refused_without_a_hint_until_tomorrow(rpc: Rpc, emulator: RunningEmulator) -> None:
    emulator.state.quota.limits = Limits(daily_calls=1, retry_after_ms=400)

    await rpc(START, Ids=[1])
    refused = await rpc(START, Ids=[1])
    emulator.advance(86_400)
    tomorrow = await rpc(START, Ids=[1])

    assert (refused.status, refused.body["Code"]) == (429, "Throttling.Api.Risk")
    assert "x-acs-retry-after" not in refused.headers
    assert tomorrow.status == 200


async def test_messages_can_be_chinese(
    begin: Any, rpc_to: Callable[[RunningEmulator], Rpc], seed_create: dict[str, Any]
) -> None:
    async with begin(language="zh") as emulator:
        rpc = rpc_to(emulator)
        await rpc("CreateWorkflowInstances", **seed_create)
        emulator.advance(1)
        reply = await rpc(START, Ids=[1000341554605, 1])

    entries = reply.body["SuccessInfo"]
    assert entries["1000341554605"]["Message"] == "由于并行度配置，请等待父实例workflowInstance[1000341554601]运行结束"
    assert entries["1"]["Message"] == "该实例不存在。"
