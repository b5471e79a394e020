"""Live fan-out: one reader of the feed per process, and a subscription per watcher.

The feed only makes things fast. Nothing depends on it: after every reconnect, and whenever the feed looks odd, all
watchers look into their logs, and an audit every few seconds compares where jobs stand with where their watchers
stand. So whatever the feed loses is found within that time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.messages.feed_entries import FeedEntry, FeedId, event_of, without_event
from headgate.store import keys
from headgate_server.errors.exceptions import ServerError
from headgate_server.logs.damaged_rows import Damage
from headgate_server.ports import message_bytes
from headgate_server.ports.clock import StoreTime
from headgate_server.watch.cursor import Hint
from headgate_server.watch.feed_subscription import FeedSubscription
from headgate_server.watch.job_subscription import JobSubscription
from headgate_server.watch.timer_wheel import TimerWheel

_log = logging.getLogger(__name__)

AUDIT_SECONDS: Final = 5.0
"""How long a loss in the feed can go unnoticed."""

AUDIT_CHUNK: Final = 500
"""Jobs compared at a time, so that an audit never stands long before other reads."""

RECONNECT_SECONDS: Final = 0.2
"""Pause before the feed is read again after a failure."""

UNHEARD_SECONDS: Final = 0.003
"""Pause after events without a watcher here, so that a busy feed is read in larger pieces."""


class Feed(Protocol):
    """Port: the stream of all events."""

    async def tip(self) -> FeedId:
        """Id of the newest entry; zero when the feed is empty."""

    async def read(self, after: FeedId) -> list[FeedEntry]:
        """The entries after an id, waiting for one for a while; empty when none came."""


class Revisions(Protocol):
    """Port: where jobs stand."""

    async def revisions(self, job_ids: Sequence[str]) -> list[int]:
        """Last revisions, 0 for a job that is not there."""


def ready(entry: FeedEntry, event: pb.JobEvent) -> Hint:
    """An entry made ready to be sent to any number of watchers; `event` is what it holds."""
    incarnation = entry.incarnation
    name = keys.job_name(entry.job_id).encode()
    message = b"" if entry.whole else message_bytes.event(name, entry.revision, entry.event, incarnation.encode())
    return Hint(entry.revision, incarnation, event.type, event.state in JOB_TERMINAL, message)


class Hub:
    """The subscriptions of this process's watchers, the wheel that wakes idle ones, and the tasks that feed them.

    `watchers` is how many there are, `following` whether the feed can be read, `began` set since it first could,
    `lag_seconds` how old the last event was when it was read.
    """

    def __init__(self, feed: Feed, revisions: Revisions, clock: StoreTime, damage: Damage | None = None) -> None:
        self._damage = damage or Damage()
        self._feed = feed
        self._revisions = revisions
        self._clock = clock
        self._subscriptions: dict[str, list[JobSubscription]] = {}
        self._feed_subscriptions: set[FeedSubscription] = set()
        self._draining = False
        self._wanted = asyncio.Event()
        self.timer_wheel = TimerWheel()
        self.watchers = 0
        self.following = False
        self.began = asyncio.Event()
        self.lag_seconds = 0.0

    def join(self, job_id: str) -> JobSubscription:
        """Subscribe to a job, until `leave`. Its subscription is dirty at first, so that the log is read first."""
        subscription = JobSubscription(job_id)
        subscription.draining = self._draining
        subscriptions = self._subscriptions.setdefault(job_id, [])
        subscription.place = len(subscriptions)
        subscriptions.append(subscription)
        self._wanted.set()
        self.watchers += 1
        return subscription

    def leave(self, subscription: JobSubscription) -> None:
        """End a subscription. The job's last one takes its place, so that thousands can leave at a time."""
        self.watchers -= 1
        self.timer_wheel.leave(subscription)
        subscriptions = self._subscriptions[subscription.job_id]
        last = subscriptions.pop()
        if last is not subscription:
            subscriptions[subscription.place], last.place = last, subscription.place
        if not subscriptions:
            del self._subscriptions[subscription.job_id]

    @contextmanager
    def subscribed(self, job_id: str) -> Iterator[JobSubscription]:
        """Subscribe to a job for as long as a block lasts. This takes memory, so long streams join and leave."""
        subscription = self.join(job_id)
        try:
            yield subscription
        finally:
            self.leave(subscription)

    @contextmanager
    def subscribed_to_feed(self) -> Iterator[FeedSubscription]:
        """Subscribe to all entries. The subscription is dirty at first, so that the feed is read first."""
        subscription = FeedSubscription()
        subscription.draining = self._draining
        self._feed_subscriptions.add(subscription)
        self._wanted.set()
        self.watchers += 1
        try:
            yield subscription
        finally:
            self.watchers -= 1
            self._feed_subscriptions.discard(subscription)

    def drain(self) -> None:
        """Mark every subscription, present and later, as draining: this server shuts down."""
        self._draining = True
        watchers: list[JobSubscription | FeedSubscription] = [*self._all(), *self._feed_subscriptions]
        for watcher in watchers:
            watcher.drain()

    async def run(self) -> None:
        """Read the feed until cancelled, through every failure of it."""
        while True:
            try:
                await self._follow()
                await self._rest()
            except ServerError as error:
                _log.warning("the feed can't be read: %s", type(error).__name__)
                await self._falter()
            except Exception:
                _log.exception("the feed can't be read")
                await self._falter()

    async def audit(self) -> None:
        """Compare watchers with their jobs, now and then, until cancelled."""
        while True:
            await asyncio.sleep(AUDIT_SECONDS)
            try:
                await self.compare()
            except ServerError as error:
                _log.warning("watchers can't be compared with their jobs: %s", type(error).__name__)
            except Exception:
                _log.exception("watchers can't be compared with their jobs")

    async def compare(self) -> None:
        """Compare every watcher with its job, and ask those that stand elsewhere to look into the log."""
        job_ids = list(self._subscriptions)
        for start in range(0, len(job_ids), AUDIT_CHUNK):
            chunk = job_ids[start : start + AUDIT_CHUNK]
            for job_id, revision in zip(chunk, await self._revisions.revisions(chunk), strict=True):
                for subscription in self._subscriptions.get(job_id, ()):
                    subscription.compare(revision)

    async def _follow(self) -> None:
        position = await self._feed.tip()
        self._mark_all_dirty()
        self.following = True
        self.began.set()
        while self._subscriptions or self._feed_subscriptions:
            entries = await self._feed.read(position)
            heard = [self._dispatch(entry) for entry in entries]
            position = entries[-1].id if entries else await self._recheck(position)
            self.lag_seconds = self._lag(entries)
            if not any(heard):
                await asyncio.sleep(UNHEARD_SECONDS)

    async def _falter(self) -> None:
        self.following = False
        for subscription in self._feed_subscriptions:
            subscription.mark_dirty()  # its own read then shows whether the feed can be read
        await asyncio.sleep(RECONNECT_SECONDS)

    async def _rest(self) -> None:
        # Without watchers the feed is not read at all: a busy one would cost each idle process a part of a core.
        self._wanted.clear()
        await self._wanted.wait()

    async def _recheck(self, position: FeedId) -> FeedId:
        tip = await self._feed.tip()
        if tip >= position:
            return position
        self._mark_all_dirty()  # the feed was lost, or the store's clock went back in a failover
        return tip

    def _lag(self, entries: list[FeedEntry]) -> float:
        return max(0.0, (self._clock.now_ms() - entries[-1].id[0]) / 1000) if entries else 0.0

    def _dispatch(self, entry: FeedEntry) -> bool:
        subscriptions = self._subscriptions.get(entry.job_id, ())
        if not (subscriptions or self._feed_subscriptions):
            return False
        if entry.revision == 0:
            self._publish(entry)
            for subscription in subscriptions:
                subscription.delete()
        elif (event := event_of(entry)) is None:
            self._notify_of_damage(entry, subscriptions)
        else:
            self._publish(entry)
            self._notify(subscriptions, entry, event)
        return True

    def _notify(self, subscriptions: Sequence[JobSubscription], entry: FeedEntry, event: pb.JobEvent) -> None:
        if subscriptions:
            hint = ready(entry, event)
            for subscription in subscriptions:
                subscription.put(hint)

    def _publish(self, entry: FeedEntry) -> None:
        for subscription in self._feed_subscriptions:
            subscription.put(entry)

    def _notify_of_damage(self, entry: FeedEntry, subscriptions: Sequence[JobSubscription]) -> None:
        """Pass by an entry that can't be read: its job's watchers find its event in the log."""
        self._damage.note(f"an entry of the feed, of {keys.job_name(entry.job_id)}")
        self._publish(without_event(entry))
        for subscription in subscriptions:
            subscription.mark_dirty()

    def _all(self) -> list[JobSubscription]:
        return [subscription for subscriptions in self._subscriptions.values() for subscription in subscriptions]

    def _mark_all_dirty(self) -> None:
        watchers: list[JobSubscription | FeedSubscription] = [*self._all(), *self._feed_subscriptions]
        for watcher in watchers:
            watcher.mark_dirty()
