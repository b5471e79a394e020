"""One request over real HTTP: redirects, slow and endless replies, and what is told of failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from headgate_worker.notifications.forms import WebhookRequest
from headgate_worker.notifications.rules import Form, WebhookEndpoint
from headgate_worker.notifications.schedule import WebhookReply
from headgate_worker.notifications.webhook_sender import MAX_REPLY, WebhookSender
from tests.worker.notifications.receiver import Received, Receiver, receiving, statuses


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def send(url: str, form: Form = Form.CLOUDEVENTS, seconds: float = 20) -> WebhookReply:
    sender = WebhookSender(WebhookEndpoint(name="e", url=url, form=form, timeout_seconds=seconds))
    try:
        return await sender.send(WebhookRequest(url, {"Content-Type": "application/json", "ce-id": "1"}, b"{}"))
    finally:
        await sender.aclose()


async def test_a_request_arrives_as_it_was_made(receiver: Receiver) -> None:
    assert await send(f"{receiver.url}/a%2Fb?token=x%2By") == WebhookReply(200)

    (found,) = receiver.requests
    assert (found.path, found.query, found.body) == ("/a/b", "token=x%2By", b"{}")
    assert (found.headers["ce-id"], found.headers["User-Agent"]) == ("1", "headgate")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(receiver: Receiver, status: int) -> None:
    receiver.reply = statuses(status)

    found = await send(receiver.url)

    assert found == WebhookReply(status, f"status {status}: redirects are not followed")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("9" * 99, 0.0)])
async def test_an_endpoint_may_ask_for_a_pause(receiver: Receiver, header: str, seconds: float) -> None:
    async def reply(_: Received) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": header})

    receiver.reply = reply

    assert await send(receiver.url) == WebhookReply(429, "status 429", seconds)


async def test_a_slow_endpoint_is_left(receiver: Receiver) -> None:
    async def reply(_: Received) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    receiver.reply = reply

    assert await send(receiver.url, seconds=0.1) == WebhookReply(0, "no reply in time")


async def test_an_endless_reply_is_read_in_part(receiver: Receiver) -> None:
    async def reply(_: Received) -> web.Response:
        return web.Response(body=b" " * (4 * MAX_REPLY))

    receiver.reply = reply

    assert await send(receiver.url) == WebhookReply(200)


async def test_a_robot_that_refuses_says_so_in_its_body(receiver: Receiver) -> None:
    async def reply(_: Received) -> web.Response:
        return web.json_response({"errcode": 130101, "errmsg": "send too fast"})

    receiver.reply = reply

    assert await send(receiver.url, Form.DINGTALK) == WebhookReply(200, "status 200 with code 130101")


async def test_no_failure_tells_the_address() -> None:
    found = await send("http://127.0.0.1:1/T0K3N")

    assert found.status == 0 and found.problem.startswith("no reply (") and "T0K3N" not in found.problem
