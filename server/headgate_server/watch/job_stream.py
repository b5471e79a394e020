"""One watcher's life: from its start through the log and the hub's hints to an announced end.

Asks `cursor` what to do and does it. Memory per watcher is bounded; a slow one is woken less often and reads the log.
Cancellation, which is how every stream that is closed ends, passes through untouched.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_server.errors.exceptions import JobDamaged, ServerError, StoreUnavailable
from headgate_server.errors.job_errors import deleted_job, unknown_job
from headgate_server.ports import message_bytes
from headgate_server.ports.call import PATIENCE_SECONDS, ReplySink
from headgate_server.ports.clock import StoreTime, timestamp
from headgate_server.ports.jobs import LogPage, LogReader
from headgate_server.watch.cursor import Cursor, Verdict, WatchSpec, check_start
from headgate_server.watch.hub import Hub
from headgate_server.watch.job_subscription import JobSubscription
from headgate_server.watch.timer_wheel import ROUND_SECONDS

PAGE: Final = 64
"""Events that one look into the log reads."""


PAUSE_SECONDS: Final = 0.5
"""About how long a stream waits before it looks into an unreadable log again."""

POLLS_SECONDS: Final = 0.5
"""How long a sign of life waits for the times of upstream polls, in seconds."""

_RESUMABLE: Final = frozenset({pb.STREAM_END_REASON_MAX_STREAM_AGE, pb.STREAM_END_REASON_SERVER_DRAINING})


@dataclass(frozen=True, slots=True)
class JobStreams:
    """What every watcher of a process needs.

    Args:
        max_age_seconds: about how long a stream lives; each one's end is spread by +-10 %.
        max_delay_seconds: how far the reconnects of the watchers of a draining server are spread.
        jitter: a number from 0 to 1, another one each time.
    """

    hub: Hub
    logs: LogReader
    clock: StoreTime
    max_age_seconds: float = 1800.0
    max_delay_seconds: float = 3.0
    jitter: Callable[[], float] = random.random

    def follow(self, spec: WatchSpec, sink: ReplySink, first: LogPage | None = None) -> Awaitable[None]:
        """Write the messages of one stream, each a WatchJobResponse as bytes.

        Args:
            spec: what was asked for.
            sink: where they go.
            first: what was just written, for a stream that begins with its own submit.

        Raises:
            Refused: no such job, or no such revision.
            StoreUnavailable: the store can't be read.
        """
        return _JobStream(self, spec, sink).run(first)


class _JobStream:
    """One watcher. Messages are made in batches: what one look into the log, or the hints at hand, yield.

    While it waits, what it keeps is this and the frame of `run`; so that frame holds no message.
    """

    __slots__ = (
        "_cursor",
        "_deadline",
        "_lost",
        "_quiet_until",
        "_sink",
        "_spec",
        "_streams",
        "_subscription",
        "_timer_wheel",
        "_unreadable_since",
    )
    _subscription: JobSubscription

    def __init__(self, streams: JobStreams, spec: WatchSpec, sink: ReplySink) -> None:
        self._streams = streams
        self._timer_wheel = streams.hub.timer_wheel
        self._spec = spec
        self._sink = sink
        self._cursor = Cursor(max(0, spec.start_revision - 1), spec.incarnation)
        self._deadline = self._timer_wheel.now() + streams.max_age_seconds * (0.9 + 0.2 * streams.jitter())
        self._quiet_until = 0.0
        self._unreadable_since: float | None = None
        self._lost = False

    async def run(self, first: LogPage | None) -> None:
        hub = self._streams.hub
        self._subscription = hub.join(self._spec.job_id)
        try:
            await self._send(await self._open(first))
            del first  # so that it does not stay as long as the stream
            while (reason := self._reason_to_end()) is None:
                if self._subscription.is_silent():
                    await self._timer_wheel.wait(self._subscription, min(self._quiet_until, self._deadline))
                await self._send(await self._next_batch())
            await self._sink.write(self._end(reason))
        finally:
            hub.leave(self._subscription)

    async def _send(self, batch: list[bytes]) -> None:
        self._subscription.sent = self._cursor.sent
        for message in batch:
            await self._sink.write(message)
        if batch:
            self._quiet_until = self._timer_wheel.now() + self._spec.progress_seconds - ROUND_SECONDS

    async def _open(self, first: LogPage | None) -> list[bytes]:
        self._subscription.dirty = False  # hints come already, so none falls between this look and the next
        page = first or await self._read(with_job=self._spec.start_revision == 0 or self._spec.latest_only)
        if page is None or self._spec.is_of_another_life(page):
            raise (deleted_job if self._spec.uid else unknown_job)(self._spec.job_id)
        check_start(self._spec.start_revision, page)
        if self._spec.start_revision == 0:
            return [self._snapshot(page)]
        batch = self._take(page)
        return batch if batch or self._lost else [await self._progress()]

    async def _next_batch(self) -> list[bytes]:
        subscription = self._subscription
        if subscription.dirty or (subscription.hints and self._spec.latest_only):
            return await self._look()
        if subscription.hints:
            return self._follow()
        return await self._progress_if_quiet()

    def _follow(self) -> list[bytes]:
        batch = []
        for hint in self._subscription.take():
            match self._cursor.classify(hint):
                case Verdict.GAP:
                    self._subscription.mark_dirty()
                    break
                case Verdict.NEXT if not hint.message and self._wants(hint.type):
                    self._subscription.mark_dirty()  # what the feed does not show stands in the log
                    break
                case Verdict.NEXT:
                    self._cursor.advance(hint.revision, hint.incarnation, terminal=hint.terminal)
                    if self._wants(hint.type):
                        batch.append(hint.message)
                case Verdict.DUPLICATE:
                    continue
        return batch

    async def _look(self) -> list[bytes]:
        subscription = self._subscription
        subscription.hints.clear()
        subscription.dirty = False
        try:
            page = await self._read(with_job=self._spec.latest_only)
        except StoreUnavailable:
            subscription.dirty = True
            return await self._ride_out_outage()
        self._unreadable_since = None
        if page is None:
            self._lost = True
            return []
        return self._take(page)

    async def _ride_out_outage(self) -> list[bytes]:
        now = self._timer_wheel.now()
        self._unreadable_since = self._unreadable_since or now
        if now - self._unreadable_since > PATIENCE_SECONDS:
            raise StoreUnavailable("for too long")
        await asyncio.sleep(PAUSE_SECONDS * (0.5 + self._streams.jitter()))
        return await self._progress_if_quiet()

    async def _read(self, *, with_job: bool) -> LogPage | None:
        first = self._cursor.first_wanted()
        count = 1 if self._spec.latest_only and not self._spec.types else PAGE
        return await self._streams.logs.read_log(self._spec.job_id, first=first, count=count, with_job=with_job)

    def _take(self, page: LogPage) -> list[bytes]:
        if self._cursor.lost_by(page):
            self._lost = True
            return []
        if (damage := page.damage(self._cursor.sent + 1)) is not None:
            raise JobDamaged(self._spec.job_id, damage)
        if self._spec.latest_only:
            return self._newest(page)
        batch = [message for body in self._cursor.unsent(page) for message in self._event(body)]
        self._cursor.settle(page)
        if self._cursor.sent < page.revision:
            self._subscription.dirty = True
        return batch

    def _newest(self, page: LogPage) -> list[bytes]:
        """The job as it stands, if anything happened that is wanted. More than one page of news counts as wanted."""
        if page.revision <= self._cursor.sent:
            return []
        news = self._cursor.unsent(page)
        dull = self._cursor.sent + len(news) == page.revision and page.state not in JOB_TERMINAL
        if dull and not any(self._wants(pb.JobEvent.FromString(body).type) for body in news):
            self._cursor.advance(page.revision, event_log.incarnation(page.last), terminal=False)
            return []
        return [self._snapshot(page)]

    def _event(self, body: bytes) -> list[bytes]:
        revision, incarnation = self._cursor.sent + 1, event_log.incarnation(body)
        self._cursor.advance(revision, incarnation, terminal=False)
        if self._spec.types and not self._wants(pb.JobEvent.FromString(body).type):
            return []
        return [message_bytes.event(self._spec.name.encode(), revision, body, incarnation.encode())]

    def _snapshot(self, page: LogPage) -> bytes:
        incarnation = event_log.incarnation(page.last)
        self._cursor.advance(page.revision, incarnation, terminal=page.state in JOB_TERMINAL)
        return message_bytes.snapshot(self._spec.name.encode(), page.revision, page.job, incarnation.encode())

    def _wants(self, kind: pb.EventType.ValueType) -> bool:
        return not self._spec.types or kind in self._spec.types

    def _reason_to_end(self) -> pb.StreamEndReason.ValueType | None:
        subscription = self._subscription
        if self._cursor.terminal and not (subscription.hints or subscription.dirty):
            return pb.STREAM_END_REASON_JOB_TERMINAL
        if subscription.deleted and not subscription.hints:
            return pb.STREAM_END_REASON_JOB_DELETED
        if self._lost:
            return pb.STREAM_END_REASON_HISTORY_LOST
        if subscription.draining:
            return pb.STREAM_END_REASON_SERVER_DRAINING
        return pb.STREAM_END_REASON_MAX_STREAM_AGE if self._timer_wheel.now() >= self._deadline else None

    async def _progress_if_quiet(self) -> list[bytes]:
        return [await self._progress()] if self._timer_wheel.now() >= self._quiet_until else []

    async def _progress(self) -> bytes:
        message = self._response()
        message.progress.server_time.CopyFrom(timestamp(self._streams.clock.now_ms()))
        last_ms, next_ms = await self._polls()
        if last_ms:
            message.progress.last_upstream_poll_time.CopyFrom(timestamp(last_ms))
        if next_ms:
            message.progress.next_upstream_poll_time.CopyFrom(timestamp(next_ms))
        return message.SerializeToString()

    async def _polls(self) -> tuple[int, int]:
        """Times of the last and the next poll, if the store answers at once: a sign of life is due all the same."""
        if self._unreadable_since is not None:
            return 0, 0
        try:
            async with asyncio.timeout(POLLS_SECONDS):
                return await self._streams.logs.polls(self._spec.job_id)
        except (ServerError, TimeoutError):
            return 0, 0

    def _end(self, reason: pb.StreamEndReason.ValueType) -> bytes:
        message = self._response()
        message.end.reason = reason
        if reason in _RESUMABLE:
            message.end.resume_revision = self._cursor.sent + 1
        if reason == pb.STREAM_END_REASON_SERVER_DRAINING:
            delay_ms = self._streams.max_delay_seconds * 1000 * self._streams.jitter()
            message.end.reconnect_delay.FromMilliseconds(int(delay_ms))
        return message.SerializeToString()

    def _response(self) -> pb.WatchJobResponse:
        cursor = self._cursor
        return pb.WatchJobResponse(revision=cursor.sent, job=self._spec.name, incarnation=cursor.incarnation)
