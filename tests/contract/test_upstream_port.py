"""What the engine expects of every upstream, whichever cloud stands behind it. Each adapter passes the same suite."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ForwardRef, get_args, get_origin

import pytest

from headgate import pb
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import (
    NOT_REPEATABLE,
    Call,
    CreateInstances,
    Failure,
    FailureKind,
    GetInstance,
    Outcome,
    Reply,
    StopInstances,
)
from headgate_worker.core.model.upstream_call import UpstreamCall
from headgate_worker.ports.upstreams import Upstream
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from headgate_worker.upstream.enos.client import Enos
from headgate_worker.upstream.enos.settings import EnosSettings
from tests.worker.upstream.scripted_server import PROPER, Behave, Seen, Server, always, answer, http, listening

LONG, SHORT = 5.0, 0.3
MOST = 100_000

FLOW_ID = "2809-20190808093200"
TOKEN = {"status": 0, "data": {"accessToken": "token", "expire": 7200}}
FLOWS: Mapping[str, Any] = {
    "get": {"instanceId": FLOW_ID, "status": 2},
    "cancel": None,
    "trigger": {"flowInstanceId": FLOW_ID},
}


def _enos_reply(seen: Seen) -> bytes:
    return http({"code": 0, "msg": "OK", "data": FLOWS[seen.query["action"]]})


def _dataworks_reply(seen: Seen) -> bytes:
    return answer(**PROPER[seen.action])


def _open_enos(endpoint: str) -> Enos:
    return Enos(
        EnosSettings(
            endpoint=endpoint, app_key="key", app_secret="secret", user_id="u", org_id="o", max_reply_bytes=MOST
        )
    )


def _open_dataworks(endpoint: str) -> DataWorks:
    return DataWorks(
        DataWorksSettings(endpoint=endpoint, credentials=Credentials("testid", "testsecret"), max_reply_bytes=MOST)
    )


@dataclass(frozen=True, slots=True)
class Cloud:
    """One adapter, one call of each sort, and what its upstream says when all is well."""

    open: Callable[[str], Upstream]
    proper: Callable[[Seen], bytes]
    read: Call
    write: Call
    effect: Call
    foreign: Call

    @property
    def calls(self) -> tuple[Call, ...]:
        return self.read, self.write, self.effect


CLOUDS = {
    "dataworks": Cloud(
        _open_dataworks,
        _dataworks_reply,
        GetInstance(5),
        StopInstances((5,)),
        CreateInstances(pb.CreateWorkflowInstancesSpec(project_id=1, name="n")),
        flow_calls.GetFlow(FLOW_ID),
    ),
    "enos": Cloud(
        _open_enos,
        _enos_reply,
        flow_calls.GetFlow(FLOW_ID),
        flow_calls.CancelFlow(FLOW_ID),
        flow_calls.TriggerFlow(2809, 1_739_022_200_000),
        GetInstance(5),
    ),
}


@pytest.fixture(params=list(CLOUDS))
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return CLOUDS[request.param]


@dataclass(slots=True)
class Meeting:
    """An adapter and its upstream. Credentials are always answered; `behave` is for the calls themselves."""

    upstream: Upstream
    server: Server

    def behave(self, behave: Behave) -> None:
        async def with_token(seen: Seen, writer: asyncio.StreamWriter) -> None:
            if "/token/" in seen.target:
                await always(http(TOKEN))(seen, writer)
            else:
                await behave(seen, writer)

        self.server.behave = with_token

    @property
    def calls(self) -> list[Seen]:
        return [seen for seen in self.server.seen if "/token/" not in seen.target]

    async def ask(self, call: Call, seconds: float = LONG) -> Outcome:
        return await self.upstream.call(call, timeout_seconds=seconds)


@asynccontextmanager
async def meeting(cloud: Cloud) -> AsyncIterator[Meeting]:
    async with listening() as server:
        upstream = cloud.open(server.url)
        found = Meeting(upstream, server)

        async def properly(seen: Seen, writer: asyncio.StreamWriter) -> None:
            await always(cloud.proper(seen))(seen, writer)

        found.behave(properly)
        try:
            yield found
        finally:
            await upstream.aclose()


def failure(outcome: Outcome) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


def body_of(kind: type[UpstreamCall[Any]]) -> type:
    """The type that a call says its reply's body has: the argument of its base class."""
    (body,) = get_args(kind.__orig_bases__[0])  # type: ignore[attr-defined]
    named = getattr(sys.modules[kind.__module__], body.__forward_arg__) if isinstance(body, ForwardRef) else body
    found: type = get_origin(named) or named
    return found


def expected(call: Call) -> FailureKind:
    """The kind of a call of which nobody knows whether it was executed."""
    return FailureKind.AMBIGUOUS if type(call) in NOT_REPEATABLE else FailureKind.TRANSIENT


async def test_one_call_is_one_request_and_brings_its_body(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        for call in cloud.calls:
            outcome = await met.ask(call)
            assert isinstance(outcome, Reply), outcome
            assert isinstance(outcome.body, body_of(type(call)))
            assert outcome.latency_seconds > 0

        assert len(met.calls) == len(cloud.calls)


async def test_the_deadline_is_kept_and_what_it_leaves_open_is_said(cloud: Cloud) -> None:
    async def silent(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with meeting(cloud) as met:
        met.behave(silent)
        for call in cloud.calls:
            started = asyncio.get_running_loop().time()
            found = failure(await met.ask(call, SHORT))
            assert asyncio.get_running_loop().time() - started < SHORT + 1
            assert (found.kind, found.code) == (expected(call), "timed_out")


async def test_a_reply_in_drops_does_not_outlive_the_deadline(cloud: Cloud) -> None:
    async def drip(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with meeting(cloud) as met:
        met.behave(drip)
        assert failure(await met.ask(cloud.read, SHORT)).code == "timed_out"


async def test_a_connection_lost_after_sending_is_ambiguous_for_effects_only(cloud: Cloud) -> None:
    async def hang_up(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with meeting(cloud) as met:
        met.behave(hang_up)
        for call in cloud.calls:
            found = failure(await met.ask(call))
            assert (found.kind, found.code) == (expected(call), "connection_lost")

        assert len(met.calls) == len(cloud.calls), "a request was sent twice"


async def test_what_was_never_sent_is_never_ambiguous(cloud: Cloud) -> None:
    upstream = cloud.open("http://127.0.0.1:1")
    try:
        for call in cloud.calls:
            assert failure(await upstream.call(call, timeout_seconds=LONG)).kind is FailureKind.TRANSIENT
    finally:
        await upstream.aclose()


async def test_whether_it_can_be_reached_is_found_out_without_a_request(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        assert await met.upstream.reach(timeout_seconds=LONG) is None
        assert not met.calls
    away = cloud.open("http://127.0.0.1:9")
    try:
        found = await away.reach(timeout_seconds=LONG)
    finally:
        await away.aclose()
    assert found is not None
    assert (found.kind, found.code) == (FailureKind.TRANSIENT, "connect_failed")


async def test_an_effect_goes_out_on_a_connection_of_its_own(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        for call in (cloud.read, cloud.read, cloud.effect, cloud.effect):
            assert isinstance(await met.ask(call), Reply)

        first, second, third, fourth = (seen.connection for seen in met.calls)
        assert first == second
        assert len({first, third, fourth}) == 3


HOSTILE: Mapping[str, bytes] = {
    "empty": http(b""),
    "html": http("<html>502</html>", 502, media="text/html"),
    "html that says ok": http("<html>Welcome</html>", media="text/html"),
    "list": http("[1, 2]"),
    "null": http("null"),
    "half": http('{"status": 0, "data": {"instan'),
    "nothing in it": http({}),
    "wrong types": http({"status": [], "code": {}, "data": 7, "WorkflowInstance": 3, "OperationId": []}),
    "deep": http("[" * 90_000),
    "not text": http(b"\xff\xfe\x00{"),
    "surrogates": http('{"code": 0, "data": {"instanceId": "\\ud800"}}'),
    "NaN": http('{"code": NaN, "RequestId": Infinity}'),
    "elsewhere": http(b"", 302, headers={"Location": "http://127.0.0.1:1/"}),
    "not http": b"I am no web server\r\n\r\n",
}


@pytest.mark.parametrize("name", list(HOSTILE))
async def test_nothing_is_raised_for_what_an_upstream_may_answer(cloud: Cloud, name: str) -> None:
    async with meeting(cloud) as met:
        met.behave(always(HOSTILE[name]))
        for call in (cloud.read, cloud.effect):
            found = failure(await met.ask(call))
            assert found.kind is expected(call), found
            assert found.code and found.message.isprintable() and len(found.message) <= 500

        assert len(met.calls) == 2, "a redirect was followed, or a request sent twice"


async def test_a_body_that_is_too_long_is_not_read(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        met.behave(always(http(json.dumps({"pad": "x" * MOST}))))
        for call in (cloud.read, cloud.effect):
            found = failure(await met.ask(call))
            assert (found.kind, found.code) == (expected(call), "reply_too_large")


async def test_too_many_requests_is_throttling(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        met.behave(always(http("slow down", 429, media="text/plain")))
        assert {failure(await met.ask(call)).kind for call in cloud.calls} == {FailureKind.THROTTLED}


async def test_a_call_of_another_cloud_is_refused_and_not_sent(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        found = failure(await met.ask(cloud.foreign))

        assert (found.kind, found.code) == (FailureKind.REFUSED, "unsendable_call")
        assert not met.calls


async def test_a_cancelled_call_is_cancelled(cloud: Cloud) -> None:
    async def silent(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with meeting(cloud) as met:
        met.behave(silent)
        task = asyncio.create_task(met.ask(cloud.read))
        async with asyncio.timeout(LONG):
            while not met.calls:
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_many_calls_go_side_by_side(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        outcomes = await asyncio.gather(*(met.ask(cloud.read) for _ in range(50)))

        assert all(isinstance(outcome, Reply) for outcome in outcomes)


async def test_a_call_after_the_close_is_an_error(cloud: Cloud) -> None:
    async with meeting(cloud) as met:
        await met.upstream.aclose()
        with pytest.raises(RuntimeError):
            await met.ask(cloud.read)
