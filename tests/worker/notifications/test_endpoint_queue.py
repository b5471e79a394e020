"""One endpoint's notifications: tried until taken or given up, bounded, and no faster than allowed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from headgate_redis.clock import StoreClock
from headgate_worker.notifications import schedule
from headgate_worker.notifications.delivery_counts import DeliveryCounts
from headgate_worker.notifications.endpoint_queue import DeliveryContext, EndpointQueue
from headgate_worker.notifications.forms import WebhookRequest
from headgate_worker.notifications.rules import Form, WebhookEndpoint
from headgate_worker.notifications.schedule import WebhookReply
from headgate_worker.store.randomness import SystemJitter
from tests.worker.conftest import eventually
from tests.worker.notifications.building import told

FINE, DOWN = WebhookReply(200), WebhookReply(503, "status 503")


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "FIRST_SECONDS", 0.001)


class Scripted:
    """A sender that answers by its script, and the last answer from then on; `gate` holds answers back."""

    def __init__(self, *replies: WebhookReply | Exception) -> None:
        self.replies = list(replies)
        self.sent: list[str] = []
        self.running = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, request: WebhookRequest) -> WebhookReply:
        self.sent.append(request.headers.get("ce-id", ""))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def aclose(self) -> None:
        self.closed = True


class Made:
    """A queue with its sender and counts."""

    def __init__(self, sender: Scripted, *, may_send: Callable[[], bool] = lambda: True, **bounds: int) -> None:
        self.sender, self.counts = sender, DeliveryCounts()
        endpoint = WebhookEndpoint(name="e", url="https://x/T0K3N", form=Form.SLACK, **bounds)  # type: ignore[arg-type]  # names of numbers
        context = DeliveryContext("headgate", StoreClock(1_000), SystemJitter(), self.counts, may_send)
        self.queue = EndpointQueue(endpoint, sender, context, (0, 0))

    def put(self, number: int) -> None:
        self.queue.put(told(number))
        self.queue.read((number, 0))

    async def at(self, position: int) -> None:
        async def there() -> bool:
            return self.queue.position == (position, 0)

        await eventually(there)

    def count(self, outcome: str) -> int:
        return self.counts.by_outcome["e", outcome]


async def test_a_failure_is_tried_again_until_it_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    made = Made(Scripted(DOWN, DOWN, FINE))
    with caplog.at_level(logging.INFO):
        made.put(1)
        await made.at(1)

    assert made.sender.sent == ["u.1.r"] * 3
    assert (made.count("delivered"), made.count("failed"), made.count("dropped")) == (1, 2, 0)
    assert caplog.messages == ["endpoint e fails: status 503", "endpoint e works again"]
    await made.queue.aclose()


async def test_what_is_never_taken_is_dropped_with_a_line(caplog: pytest.LogCaptureFixture) -> None:
    made = Made(Scripted(DOWN), attempts=3)
    with caplog.at_level(logging.WARNING):
        made.put(1)
        await made.at(1)

    assert len(made.sender.sent) == 3 and made.count("dropped") == 1
    assert "notification u.1.r to endpoint e is dropped: status 503, after 3 attempts" in caplog.messages
    assert "T0K3N" not in caplog.text
    await made.queue.aclose()


async def test_no_more_than_allowed_go_out_side_by_side_and_wait() -> None:
    sender = Scripted(FINE)
    sender.gate.clear()
    made = Made(sender, parallel=2, queue=4)
    for number in range(1, 7):
        made.put(number)
    assert made.queue.position == (0, 0)

    async def two() -> bool:
        return sender.running == 2

    await eventually(two)
    assert (made.counts.waiting["e"], made.count("dropped")) == (4, 2)
    sender.gate.set()
    await made.at(6)

    assert (sender.most, sorted(sender.sent)) == (2, [f"u.{number}.r" for number in range(1, 5)])
    assert made.counts.waiting["e"] == 0
    await made.queue.aclose()


async def test_a_notification_that_breaks_is_dropped_and_the_next_one_sent() -> None:
    made = Made(Scripted(RuntimeError("broken"), FINE), parallel=1)
    made.put(1)
    made.put(2)
    await made.at(2)

    assert (made.count("dropped"), made.count("delivered")) == (1, 1)
    await made.queue.aclose()


async def test_without_the_lease_nothing_goes_out() -> None:
    leads: list[bool] = []
    asked = 0

    def may_send() -> bool:
        nonlocal asked
        asked += 1
        return bool(leads)

    made = Made(Scripted(FINE), may_send=may_send)
    made.put(1)

    async def asked_twice() -> bool:
        return asked > 1

    await eventually(asked_twice)
    assert made.sender.sent == []
    leads.append(True)
    await made.at(1)
    await made.queue.aclose()


async def test_an_end_leaves_what_is_not_settled_open() -> None:
    sender = Scripted(FINE)
    sender.gate.clear()
    made = Made(sender)
    made.put(1)

    async def sending() -> bool:
        return sender.running == 1

    await eventually(sending)
    await made.queue.aclose()

    assert made.queue.position == (0, 0) and sender.running == 0 and sender.closed
