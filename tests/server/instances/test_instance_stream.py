"""Streams of instances: what watchers are promised, and what watching costs."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate.reasons import Reason
from headgate.v1.flow_instance_service_pb2_grpc import FlowInstanceServiceStub
from headgate_server import app
from headgate_server.ports.instance_kinds import FLOW, WORKFLOW, PollPace, differ
from tests.server.instance_rows import RUNNING, SUCCESS, Upstream, answering, rest, rows
from tests.server.instances.conftest import QUICK, watch
from tests.server.world import World, connected, fields_of, quick_settings, reason_of, serving, status_of, until


async def test_the_present_rows_come_first_and_then_every_change(quick: World, upstream: Upstream) -> None:
    upstream.set(5)
    upstream.set(6, SUCCESS)
    call = watch(quick, 5, 6)

    assert sorted(await rows(call, 2)) == [(5, RUNNING), (6, SUCCESS)]
    upstream.set(5, SUCCESS)
    assert await rows(call, 1) == [(5, SUCCESS)]
    call.cancel()


async def test_it_ends_when_all_have_ended_if_that_was_asked_for(quick: World, upstream: Upstream) -> None:
    upstream.set(5)
    upstream.set(6, SUCCESS)
    call = watch(quick, 5, 6, until_terminal=True)
    await rows(call, 2)

    upstream.set(5, SUCCESS)

    row, end = await rest(call)
    assert row.workflow_instance.status == SUCCESS
    assert end.end.reason == pb.STREAM_END_REASON_JOB_TERMINAL


async def test_an_end_seen_long_ago_is_not_believed(quick: World, upstream: Upstream) -> None:
    upstream.set(5, SUCCESS)
    await upstream.observe(5, age_ms=300)
    upstream.set(5, RUNNING)  # somebody has run it again since
    call = watch(quick, 5, until_terminal=True)

    assert (await rows(call, 1))[-1] == (5, RUNNING)
    call.cancel()


async def test_what_has_not_changed_is_not_sent_again(quick: World, upstream: Upstream) -> None:
    upstream.set(5)
    call = watch(quick, 5)
    await rows(call, 1)

    await until(lambda: upstream.reads[5] >= 4)
    upstream.set(5, SUCCESS)

    assert await rows(call, 1) == [(5, SUCCESS)]
    call.cancel()


async def test_an_instance_that_cant_be_read_for_now_is_told_and_the_others_go_on(
    quick: World, upstream: Upstream
) -> None:
    upstream.set(5)
    upstream.set(6)
    upstream.refuse(6, Reason.UPSTREAM_QPS, retry_seconds=0.1)
    call = watch(quick, 5, 6)

    first = [await call.read() for _ in range(2)]
    told = next(message.unreadable for message in first if message.HasField("unreadable"))
    assert (told.id, told.error.code) == (6, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    await until(lambda: upstream.reads[6] >= 3)
    upstream.set(5, SUCCESS)
    assert await rows(call, 1) == [(5, SUCCESS)]  # and the same error is not told again

    del upstream.errors[6]
    assert await rows(call, 1) == [(6, RUNNING)]
    upstream.refuse(6, Reason.UPSTREAM_UNAVAILABLE)
    await until(lambda: bool(upstream.reads[6]))
    async with asyncio.timeout(10):
        while not (message := await call.read()).HasField("unreadable"):
            assert not message.HasField("workflow_instance")
    del upstream.errors[6]
    assert await rows(call, 1) == [(6, RUNNING)], "the row is sent again, though it has not changed"
    call.cancel()


async def test_a_wait_without_workers_is_told(redis_url: str) -> None:
    async with serving(redis_url, read_timeout=0.2, **QUICK) as world:
        call = watch(world, 5)

        async with asyncio.timeout(5):
            while not (message := await call.read()).HasField("unreadable"):
                assert message.HasField("progress")
        assert message.unreadable.error.code == grpc.StatusCode.UNAVAILABLE.value[0]
        call.cancel()


@pytest.mark.parametrize("reason", [Reason.INSTANCE_UNKNOWN, Reason.CONNECTION_UNKNOWN, Reason.UPSTREAM_DENIED])
async def test_what_can_never_be_read_ends_the_stream(quick: World, upstream: Upstream, reason: Reason) -> None:
    upstream.refuse(5, reason)
    call = watch(quick, 5)

    with pytest.raises(grpc.RpcError) as caught:
        await rest(call)

    assert reason_of(caught.value) == reason.name
    assert upstream.reads[5] == 1


async def test_ids_are_checked(quick: World) -> None:
    for wrong, field in (((), "ids"), ((0,), "ids[0]"), ((5, 5), "ids"), (tuple(range(1, 102)), "ids")):
        with pytest.raises(grpc.RpcError) as caught:
            await rest(watch(quick, *wrong))
        assert fields_of(status_of(caught.value)) == {field}


async def test_a_hundred_instances_on_one_stream(redis_url: str) -> None:
    async with serving(redis_url) as world, answering(world.redis) as upstream:
        for id_ in range(1, 101):
            upstream.set(id_, SUCCESS)

        found = await rest(watch(world, *range(1, 101), until_terminal=True), seconds=20)

    assert {message.workflow_instance.id for message in found[:-1]} == set(range(1, 101))
    assert max(upstream.reads.values()) == 1


async def test_signs_of_life_come_within_the_interval_and_at_once(quick: World, upstream: Upstream) -> None:
    upstream.set(5)
    upstream.delay = 1.0
    began = asyncio.get_running_loop().time()
    call = watch(quick, 5, progress_interval={"seconds": 1})

    first: Any = await call.read()
    assert first.HasField("progress") and not first.progress.HasField("last_upstream_poll_time")
    assert asyncio.get_running_loop().time() - began < 1.0
    await rows(call, 1)
    second: Any = await call.read()
    assert second.progress.HasField("last_upstream_poll_time")
    call.cancel()


async def test_a_draining_server_says_so(redis_url: str) -> None:
    async with AsyncExitStack() as outer:
        async with app.running(quick_settings(redis_url, reconnect_spread=2.0, **QUICK)) as server:
            world = await outer.enter_async_context(connected(f"127.0.0.1:{server.grpc_port}", "", redis_url))
            upstream = await outer.enter_async_context(answering(world.redis))
            upstream.set(5)
            upstream.rows["2-1"] = pb.FlowInstance(instance_id="2-1", status=pb.FLOW_INSTANCE_STATUS_RUNNING)
            workflows = watch(world, 5)
            flows = FlowInstanceServiceStub(world.channel).WatchFlowInstances(
                pb.WatchFlowInstancesRequest(instance_ids=["2-1"])
            )
            await rows(workflows, 1)
            await flows.read()
        for call in (workflows, flows):
            (end,) = await rest(call)
            assert end.end.reason == pb.STREAM_END_REASON_SERVER_DRAINING
            assert end.end.reconnect_delay.ToMilliseconds() <= 2_000


async def test_a_stream_has_an_age(redis_url: str) -> None:
    async with serving(redis_url, max_stream_age=0.5, **QUICK) as world, answering(world.redis) as upstream:
        upstream.set(5)

        *_, end = await rest(watch(world, 5))

        assert end.end.reason == pb.STREAM_END_REASON_MAX_STREAM_AGE


async def test_too_many_streams_are_refused(redis_url: str) -> None:
    async with serving(redis_url, max_watches=1, **QUICK) as world, answering(world.redis) as upstream:
        upstream.set(5)
        call = watch(world, 5)
        await rows(call, 1)

        with pytest.raises(grpc.RpcError) as caught:
            await rest(watch(world, 5))

        assert reason_of(caught.value) == "CALLER_LIMIT"
        call.cancel()


async def test_too_many_instances_are_refused(
    quick: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate_server.instances.watch_shares.MAX_INSTANCES", 2)
    upstream.set(5)
    call = watch(quick, 5)
    await rows(call, 1)

    with pytest.raises(grpc.RpcError) as caught:
        await rest(watch(quick, 5, 6, 7))

    assert reason_of(caught.value) == "CALLER_LIMIT"
    call.cancel()


def row(state: int, *, changed: int, observed: int) -> pb.WorkflowInstance:
    found = pb.WorkflowInstance(id=5, status=state)  # type: ignore[arg-type]
    found.started_time.FromSeconds(changed)
    found.observe_time.FromSeconds(observed)
    return found


def test_the_longer_nothing_changes_the_less_often_it_is_read() -> None:
    pace = PollPace(min_ms=2_000, max_ms=30_000, share=0.1)

    assert pace.interval_ms(WORKFLOW, row(RUNNING, changed=1000, observed=1001)) == 2_000
    assert pace.interval_ms(WORKFLOW, row(RUNNING, changed=1000, observed=1100)) == 10_000
    assert pace.interval_ms(WORKFLOW, row(RUNNING, changed=1000, observed=9000)) == 30_000
    assert pace.interval_ms(WORKFLOW, row(RUNNING, changed=1000, observed=900)) == 2_000
    assert pace.interval_ms(WORKFLOW, row(SUCCESS, changed=1000, observed=1001)) == 30_000
    assert pace.interval_ms(FLOW, pb.FlowInstance(status=pb.FLOW_INSTANCE_STATUS_RUNNING)) == 2_000
    assert [pace.after_failures_ms(n) for n in (1, 2, 3, 99)] == [2_000, 4_000, 8_000, 30_000]


def test_rows_that_were_only_read_again_do_not_differ() -> None:
    assert not differ(row(RUNNING, changed=1, observed=2), row(RUNNING, changed=1, observed=3))
    assert differ(row(RUNNING, changed=1, observed=2), row(SUCCESS, changed=1, observed=2))
