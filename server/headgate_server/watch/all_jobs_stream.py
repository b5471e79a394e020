"""One watcher of all jobs: snapshots of the active ones, then the feed from a position on to an announced end.

The hub's subscription and the feed's past have the same entries. What the subscription could not hold is read from the
feed, from the last entry on, which must still stand there unchanged. So nothing is missed or repeated, and a feed
lost or trimmed under the watcher ends its stream. Memory is bounded, but for one number per snapshot until the feed has
caught up with the snapshots; until then messages carry no token, since a continued stream would not have these numbers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from headgate import pb
from headgate.job import event_log
from headgate.messages import views
from headgate.messages.feed_entries import FeedEntry, FeedId
from headgate.messages.filters import Filter
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import JobDamaged, Refused, StoreUnavailable
from headgate_server.ports import message_bytes
from headgate_server.ports.call import PATIENCE_SECONDS, ReplySink
from headgate_server.ports.clock import timestamp
from headgate_server.ports.feed import START, FeedPosition, position_of, write_token
from headgate_server.ports.jobs import LogPage
from headgate_server.watch.feed_filter import FeedFilter
from headgate_server.watch.feed_subscription import FeedSubscription
from headgate_server.watch.job_stream import PAUSE_SECONDS, JobStreams

PAGE: Final = 64
"""Entries that are read, or taken from the subscription, at a time."""

SNAPSHOTS: Final = 8
"""Jobs that are read at a time for their snapshots. Each may have some MB, and each stream reads for itself."""

_AFTER_ALL: Final = 2**40
"""A revision that no job reaches: a page from there on has the job and its last event, and no others."""

_RESUMABLE: Final = frozenset({pb.STREAM_END_REASON_MAX_STREAM_AGE, pb.STREAM_END_REASON_SERVER_DRAINING})
_TOKEN: Final = b"\x3a"


class History(Protocol):
    """Port: the feed's past, and the active jobs."""

    async def tip(self) -> FeedPosition:
        """Where a reader stands who has read all of the feed."""

    async def read(self, first: FeedId, count: int) -> list[FeedEntry]:
        """At most `count` entries from an id on, that one included."""

    async def begins_after(self, position: FeedId) -> bool:
        """Whether entries after the position may have been trimmed."""

    async def active(self, after: int, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next active jobs, in order of acceptance."""


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """What a watcher of all jobs asked for.

    Args:
        wanted: the filter; None lets every job pass.
        position: where to continue; None to begin with snapshots.
        progress_seconds: longest silence.
    """

    wanted: Filter | None = None
    position: FeedPosition | None = None
    progress_seconds: float = 15.0


async def follow(streams: JobStreams, history: History, spec: FeedSpec, sink: ReplySink) -> None:
    """Write the messages of one stream, each a WatchJobResponse as bytes.

    Raises:
        Refused: the feed no longer reaches back to the position.
        StoreUnavailable: the store can't be read.
    """
    await _AllJobsStream(streams, history, spec, sink).run()


class _AllJobsStream:
    """One watcher."""

    def __init__(self, streams: JobStreams, history: History, spec: FeedSpec, sink: ReplySink) -> None:
        self._write = sink.write
        self._streams = streams
        self._history = history
        self._spec = spec
        self._filter = FeedFilter(spec.wanted, streams.logs)
        self._now = asyncio.get_running_loop().time
        self._position = spec.position or START
        self._shown: dict[str, int] = {}
        self._shown_until: FeedId | None = None
        self._deadline = self._now() + streams.max_age_seconds * (0.9 + 0.2 * streams.jitter())
        self._quiet_until = 0.0
        self._unreadable_since: float | None = None
        self._lost = False

    async def run(self) -> None:
        with self._streams.hub.subscribed_to_feed() as subscription:
            if self._spec.position is None:
                await self._write_snapshots()
            batch = await self._look(subscription) or ([] if self._lost else [self._progress()])
            while True:
                for message in batch:
                    await self._write(message)
                if batch:
                    self._quiet_until = self._now() + self._spec.progress_seconds
                if reason := self._reason_to_end(subscription):
                    await self._write(self._end(reason))
                    return
                batch = await self._next(subscription) or self._progress_if_quiet()

    async def _write_snapshots(self) -> None:
        self._position, after = await self._history.tip(), 0
        while chunk := await self._history.active(after, SNAPSHOTS):
            after = chunk[-1][1]
            pages = await asyncio.gather(*(self._page(job_id) for job_id, _ in chunk))
            for (job_id, _), page in zip(chunk, pages, strict=True):
                if page is not None and self._filter.passes_job(job_id, page.job):
                    await self._write(self._snapshot(job_id, page))
        self._shown_until = (await self._history.tip()).id
        self._settle()

    async def _page(self, job_id: str) -> LogPage | None:
        try:
            return await self._streams.logs.read_log(job_id, first=_AFTER_ALL, count=1, with_job=True)
        except JobDamaged:
            return None  # that job's own watchers get the error; this is a feed of all

    def _snapshot(self, job_id: str, page: LogPage) -> bytes:
        self._shown[job_id] = page.revision
        name, incarnation = keys.job_name(job_id).encode(), event_log.incarnation(page.last).encode()
        return message_bytes.snapshot(name, page.revision, views.basic_bytes(page.job), incarnation)

    async def _next(self, subscription: FeedSubscription) -> list[bytes]:
        try:
            batch = await self._advance(subscription)
        except StoreUnavailable:
            subscription.mark_dirty()
            return await self._ride_out_outage()
        self._unreadable_since = None
        return batch

    async def _advance(self, subscription: FeedSubscription) -> list[bytes]:
        if subscription.dirty:
            return await self._look(subscription)
        if entries := subscription.take(PAGE):
            return await self._take(entries, subscription)
        await subscription.wait(min(self._quiet_until, self._deadline))
        return []

    async def _ride_out_outage(self) -> list[bytes]:
        now = self._now()
        self._unreadable_since = self._unreadable_since or now
        if now - self._unreadable_since > PATIENCE_SECONDS:
            raise StoreUnavailable("for too long")
        await asyncio.sleep(PAUSE_SECONDS * (0.5 + self._streams.jitter()))
        return []

    async def _look(self, subscription: FeedSubscription) -> list[bytes]:
        subscription.begin_look()  # entries come already, so none falls between this look and the next
        entries = await self._history.read(self._position.id, PAGE + 1)
        if not await self._continues(entries):
            self._lost = True
            return []
        subscription.dirty = subscription.dirty or len(entries) > PAGE
        return await self._take(entries, subscription)

    async def _continues(self, entries: list[FeedEntry]) -> bool:
        if self._position != START and entries and self._position.follows(entries[0]):
            return True
        if await self._history.begins_after(self._position.id):
            raise Refused(Reason.RESUME_TOKEN_EXPIRED, "the feed no longer reaches back so far")
        return self._position == START

    async def _take(self, entries: list[FeedEntry], subscription: FeedSubscription) -> list[bytes]:
        found: list[bytes] = []
        for entry in entries:
            if entry.id <= self._position.id:
                continue
            try:
                wanted = await self._wants(entry)
            except StoreUnavailable:
                if not found:
                    raise
                subscription.mark_dirty()  # what is found goes out first
                break
            self._position = position_of(entry)
            self._settle()
            found += [self._event(entry)] if wanted else []
        return found

    async def _wants(self, entry: FeedEntry) -> bool:
        if entry.revision == 0:
            self._filter.forget(entry.job_id)
            self._shown.pop(entry.job_id, None)
            return False
        return entry.revision > self._shown.get(entry.job_id, 0) and await self._filter.passes(entry)

    def _settle(self) -> None:
        if self._shown_until is not None and self._position.id >= self._shown_until:
            self._shown_until = None
            self._shown.clear()

    def _event(self, entry: FeedEntry) -> bytes:
        name, incarnation = keys.job_name(entry.job_id).encode(), entry.incarnation.encode()
        token = self._token().encode()
        shown = entry.event if entry.whole else views.basic_event_bytes(entry.revision, entry.event)
        message = message_bytes.event(name, entry.revision, shown, incarnation)
        return b"".join((message, _TOKEN, message_bytes.varint(len(token)), token)) if token else message

    def _token(self) -> str:
        return "" if self._shown else write_token(self._position)

    def _reason_to_end(self, subscription: FeedSubscription) -> pb.StreamEndReason.ValueType | None:
        ends = (
            (self._lost, pb.STREAM_END_REASON_HISTORY_LOST),
            (subscription.draining, pb.STREAM_END_REASON_SERVER_DRAINING),
            (self._now() >= self._deadline, pb.STREAM_END_REASON_MAX_STREAM_AGE),
        )
        return next((reason for applies, reason in ends if applies), None)

    def _progress_if_quiet(self) -> list[bytes]:
        return [self._progress()] if self._now() >= self._quiet_until else []

    def _progress(self) -> bytes:
        message = pb.WatchJobResponse(resume_token=self._token())
        message.progress.server_time.CopyFrom(timestamp(self._streams.clock.now_ms()))
        return message.SerializeToString()

    def _end(self, reason: pb.StreamEndReason.ValueType) -> bytes:
        message = pb.WatchJobResponse(resume_token=self._token() if reason in _RESUMABLE else "")
        message.end.reason = reason
        if reason == pb.STREAM_END_REASON_SERVER_DRAINING:
            delay_ms = self._streams.max_delay_seconds * 1000 * self._streams.jitter()
            message.end.reconnect_delay.FromMilliseconds(int(delay_ms))
        return message.SerializeToString()
