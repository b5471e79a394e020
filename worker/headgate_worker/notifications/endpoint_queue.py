"""Tells one endpoint, a few requests side by side, each notification until it is taken or given up.

What fails here delays nothing elsewhere: queue, tasks and connections are this endpoint's own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from headgate.messages.feed_entries import FeedId
from headgate_worker.notifications import forms
from headgate_worker.notifications.delivery_counts import DeliveryCounts
from headgate_worker.notifications.notification import Notification
from headgate_worker.notifications.rules import WebhookEndpoint
from headgate_worker.notifications.schedule import Delivered, GivenUp, WebhookReply, next_step
from headgate_worker.notifications.watermark import Watermark
from headgate_worker.notifications.webhook_sender import Sender
from headgate_worker.ports.clock import Clock, Jitter

_log = logging.getLogger(__name__)

LEASE_PAUSE_SECONDS: Final = 0.1
"""How often it is looked whether the lease holds again."""


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What all endpoints share.

    Args:
        source: of CloudEvents.
        may_send: whether this worker leads for sure.
    """

    source: str
    clock: Clock
    jitter: Jitter
    counts: DeliveryCounts
    may_send: Callable[[], bool]


class EndpointQueue:
    """The notifications of one endpoint. `aclose` ends its tasks.

    Args:
        position: the last entry of the feed that this endpoint needs no more.
    """

    def __init__(self, endpoint: WebhookEndpoint, sender: Sender, context: DeliveryContext, position: FeedId) -> None:
        self.endpoint = endpoint
        self._sender = sender
        self._context = context
        self._watermark = Watermark(position)
        self._first = position
        self._waiting: deque[tuple[Notification, float]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[str] = set()
        self._is_failing = False

    @property
    def position(self) -> FeedId:
        """The last entry up to which everything is delivered or dropped."""
        return self._watermark.position

    def wants(self, entry: FeedId) -> bool:
        """Whether an entry lies after the position at which this endpoint began."""
        return entry > self._first

    def read(self, entry: FeedId) -> None:
        """Note that an entry was looked at, and all that it has for this endpoint was put."""
        self._watermark.read(entry)

    def put(self, told: Notification) -> None:
        """Take a notification up; one too many is dropped."""
        if told.id in self._open:
            return
        if len(self._open) >= self.endpoint.queue:
            self._drop(told, f"{len(self._open)} others wait or are under way")
            return
        self._open.add(told.id)
        self._watermark.open(told.id)
        self._waiting.append((told, time.monotonic()))
        self._count()
        if len(self._tasks) < self.endpoint.parallel:
            task = asyncio.get_running_loop().create_task(self._deliver_all(), name=f"notify {self.endpoint.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """End all requests. What is not settled is told again by the next leader."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._context.counts.waiting.pop(self.endpoint.name, None)
        await self._sender.aclose()

    async def _deliver_all(self) -> None:
        while self._waiting:
            told, since = self._waiting.popleft()
            try:
                await self._deliver(told, since)
            except Exception as error:  # the owner of the task: one notification must not end the others
                _log.exception("a notification broke")
                self._drop(told, type(error).__name__)
            self._open.discard(told.id)
            self._watermark.settle(told.id)
            self._count()

    async def _deliver(self, told: Notification, since: float) -> None:
        attempt = 0
        while True:
            if not self._context.may_send():
                await asyncio.sleep(LEASE_PAUSE_SECONDS)
                continue
            attempt += 1
            reply = await self._send(told)
            age, jitter = time.monotonic() - since, self._context.jitter.fraction()
            step = next_step(reply, self.endpoint, attempt=attempt, age_seconds=age, jitter=jitter)
            if isinstance(step, Delivered):
                self._tally("delivered")
                return
            if isinstance(step, GivenUp):
                self._drop(told, step.why)
                return
            await asyncio.sleep(step.wait_seconds)

    async def _send(self, told: Notification) -> WebhookReply:
        request = forms.request_of(told, self.endpoint, self._context.source, self._context.clock.now_ms())
        reply = await self._sender.send(request)
        self._note(reply)
        return reply

    def _note(self, reply: WebhookReply) -> None:
        """Tell of an endpoint that begins to fail, and of its recovery; not of each request."""
        if reply.problem:
            self._tally("failed")
        if bool(reply.problem) == self._is_failing:
            return
        self._is_failing = bool(reply.problem)
        if self._is_failing:
            _log.warning("endpoint %s fails: %s", self.endpoint.name, reply.problem)
        else:
            _log.info("endpoint %s works again", self.endpoint.name)

    def _drop(self, told: Notification, why: str) -> None:
        self._tally("dropped")
        _log.warning("notification %s to endpoint %s is dropped: %s", told.id, self.endpoint.name, why)

    def _tally(self, outcome: str) -> None:
        self._context.counts.by_outcome[self.endpoint.name, outcome] += 1

    def _count(self) -> None:
        self._context.counts.waiting[self.endpoint.name] = len(self._open)
