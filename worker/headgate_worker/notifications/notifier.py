"""Sends the notifications of all workers, or waits to: reads the feed, matches rules, keeps how far each was told.

A position is kept only after what lies before it was delivered or dropped, and only by the leader's fence. So whatever
ends a leader, the next one tells again what may not have been told, by the same ids.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headgate import pb
from headgate.messages.feed_entries import FeedEntry, FeedId, event_of
from headgate_ops.file_stamp import FileStamps
from headgate_worker.notifications import notification, rules
from headgate_worker.notifications.delivery_counts import DeliveryCounts
from headgate_worker.notifications.endpoint_queue import DeliveryContext, EndpointQueue
from headgate_worker.notifications.notification import UntellableEvent
from headgate_worker.notifications.rules import Rule, RuleSet, WebhookEndpoint
from headgate_worker.notifications.webhook_sender import Sender
from headgate_worker.ports.clock import Clock, Jitter
from headgate_worker.ports.notifications import JobAtEvent, NotificationStore
from headgate_worker.ports.store import STORE_AWAY

_log = logging.getLogger(__name__)

ROUND_SECONDS: Final = 1.0
"""Pause between two looks at lease, file and feed."""

LEASE_MS: Final = 10_000
"""How long a worker leads that says nothing more."""

MARGIN: Final = 0.8
"""Part of the lease within which requests go out."""

PAGE: Final = 100
"""Entries that are read at a time."""

PAGES: Final = 100
"""Most pages of one round, so that the lease is renewed in between."""


class FollowedRules:
    """The rules of a file that may change. `current` are those that hold.

    Args:
        read: reads the file; raises ValueError.
    """

    def __init__(self, path: Path, read: Callable[[Path], RuleSet]) -> None:
        self._path = path
        self._read = read
        self._stamps = FileStamps(path)
        self.current = read(path)

    async def look(self) -> bool:
        """Read the file if it has changed; whether other rules hold now. A broken one changes nothing."""
        if not await self._stamps.have_changed():
            return False
        try:
            self.current = await asyncio.to_thread(self._read, self._path)
        except ValueError as error:
            _log.error("the notifications have changed and can't be used, the rules of before stay: %s", error)
            return False
        _log.info("HEADGATE_NOTIFICATIONS was read again: %d rules", len(self.current.rules))
        return True


@dataclass(frozen=True, slots=True)
class NotifierParts:
    """What a notifier works with.

    Args:
        sender: makes the sender of an endpoint.
        owner: names this worker.
    """

    store: NotificationStore
    followed: FollowedRules
    sender: Callable[[WebhookEndpoint], Sender]
    clock: Clock
    jitter: Jitter
    owner: str
    lease_ms: int = LEASE_MS


class Notifier:
    """One worker's part of the notifications."""

    def __init__(self, parts: NotifierParts) -> None:
        self._parts = parts
        self.counts = DeliveryCounts()
        self._fence: int | None = None
        self._leads_until = 0.0
        self._queues: dict[str, EndpointQueue] = {}
        self._read_to: FeedId = (0, 0)
        self._kept: dict[str, FeedId] = {}

    async def run(self) -> None:
        """Go on until cancelled. Redis may go and come back."""
        while True:
            try:
                await self.round()
            except STORE_AWAY as error:
                _log.warning("notifications can't reach the store (%s)", type(error).__name__)
            except Exception:
                # The owner of the task: rules that break must not end a worker.
                _log.exception("a round of notifications broke")
            await asyncio.sleep(ROUND_SECONDS * (0.75 + 0.5 * self._parts.jitter.fraction()))

    async def round(self) -> bool:
        """Lead if no other worker does, and look at what is new; whether this worker leads."""
        if not await self._take_lead():
            await self._stop()
            return False
        if await self._parts.followed.look() and not await self._restart():
            return False
        if not self._queues:
            await self._start()
        for _ in range(PAGES):
            if not (await self._keep() and await self._read_page()):
                break
        return await self._keep()

    async def aclose(self) -> None:
        """Keep what was told, end all requests and let another worker lead at once."""
        try:
            if self._fence is not None and await self._keep():
                await self._parts.store.lead(self._parts.owner, 0)
        except STORE_AWAY:
            _log.info("the store is away; the lease of the notifications ends by itself")
        finally:
            await self._stop()

    async def _take_lead(self) -> bool:
        asked = time.monotonic()
        fence = await self._parts.store.lead(self._parts.owner, self._parts.lease_ms)
        if fence != self._fence and self._queues:
            await self._stop()  # another worker has led meanwhile
        self._fence, self.counts.leads = fence, fence is not None
        self._leads_until = asked + self._parts.lease_ms / 1000 * MARGIN if fence is not None else 0.0
        return fence is not None

    def _may_send(self) -> bool:
        return time.monotonic() < self._leads_until

    async def _stop(self) -> None:
        queues, self._queues = tuple(self._queues.values()), {}
        for queue in queues:
            await queue.aclose()

    async def _restart(self) -> bool:
        """Let other rules hold; False when another worker leads by now."""
        leads = await self._keep()
        await self._stop()
        return leads

    async def _start(self) -> None:
        found, tip = await self._parts.store.positions(), await self._parts.store.tip()
        followed, parts = self._parts.followed.current, self._parts
        self._kept = {name: found[name] for name in followed.endpoints if name in found}
        context = DeliveryContext(followed.source, parts.clock, parts.jitter, self.counts, self._may_send)
        self._queues = {
            name: EndpointQueue(endpoint, parts.sender(endpoint), context, self._kept.get(name, tip))
            for name, endpoint in followed.endpoints.items()
        }
        self._read_to = min((queue.position for queue in self._queues.values()), default=tip)
        _log.info("this worker sends the notifications, to %d endpoints", len(self._queues))

    async def _keep(self) -> bool:
        """Keep positions that have moved on; whether this worker still leads."""
        found = {name: queue.position for name, queue in self._queues.items()}
        moved = {name: at for name, at in found.items() if self._kept.get(name) != at}
        if not moved:
            return self._fence is not None
        if self._fence is None or not await self._parts.store.move(self._parts.owner, self._fence, moved):
            _log.warning("another worker sends the notifications by now")
            self._fence, self._leads_until, self.counts.leads = None, 0.0, False
            await self._stop()
            return False
        self._kept |= moved
        return True

    async def _read_page(self) -> bool:
        """Look at the next entries; whether there may be more."""
        page = await self._parts.store.read(self._read_to, PAGE)
        events = [(entry, event_of(entry)) for entry in page.entries]
        looked = [(entry, event, self._candidates(entry, event)) for entry, event in events if event is not None]
        wanted = [(entry, event, rules) for entry, event, rules in looked if rules]
        jobs = await self._parts.store.jobs_at([entry for entry, _, _ in wanted])
        if not page.is_whole:
            self._tell_gap(page.entries[0].id)
        by_id = {row[0].id: (*row, job) for row, job in zip(wanted, jobs, strict=True)}
        for entry in page.entries:
            if entry.id in by_id:
                self._put(*by_id[entry.id])
            self._pass(entry.id)
        return len(page.entries) >= PAGE

    def _pass(self, entry: FeedId) -> None:
        for queue in self._queues.values():
            queue.read(entry)
        self._read_to = entry

    def _candidates(self, entry: FeedEntry, event: pb.JobEvent) -> list[Rule]:
        found = rules.candidates(self._parts.followed.current.rules, event)
        return [rule for rule in found if self._queues[rule.endpoint].wants(entry.id)]

    def _put(self, entry: FeedEntry, event: pb.JobEvent, found: Sequence[Rule], at: JobAtEvent | None) -> None:
        if at is None:
            self._leave_out(entry, found, "the job is gone, or can't be read")
            return
        then = rules.as_of(at.job, event)
        for rule in rules.matching(found, event, then, at.before):
            queue = self._queues[rule.endpoint]
            try:
                queue.put(notification.of_event(rule, queue.endpoint.form, event, then, at.before))
            except UntellableEvent as error:  # a damaged row holds up no other
                self._leave_out(entry, [rule], str(error))

    def _leave_out(self, entry: FeedEntry, found: Sequence[Rule], why: str) -> None:
        self.counts.untold += 1
        names = ", ".join(rule.name for rule in found)
        _log.warning("event %d of %s is not told by %s: %s", entry.revision, entry.job_id, names, why)

    def _tell_gap(self, until: FeedId) -> None:
        self.counts.gaps += 1
        told = notification.of_gap(self._read_to, until)
        _log.error("%s", told.text)
        for queue in self._queues.values():
            if queue.position < until:
                queue.put(replace(told, id=f"{told.id}.{queue.endpoint.name}"))
