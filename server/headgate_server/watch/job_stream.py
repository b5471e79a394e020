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
from headgate_server.ports.call import PATIENCE_SECONDS, Sink
from headgate_server.ports.clock import StoreClock, timestamp
from headgate_server.ports.jobs import Logs, Page
from headgate_server.watch.cursor import Cursor, Verdict, Wish, check_start
from headgate_server.watch.hub import Hub
from headgate_server.watch.job_subscription import Bell
from headgate_server.watch.timer_wheel import ROUND_SECONDS

PAGE: Final = 64
"""Events that one look into the log reads."""


PAUSE_SECONDS: Final = 0.5
"""About how long a stream waits before it looks into an unreadable log again."""

POLLS_SECONDS: Final = 0.5
"""How long a sign of life waits to be told when upstream was read."""

_RESUMABLE: Final = frozenset({pb.STREAM_END_REASON_MAX_STREAM_AGE, pb.STREAM_END_REASON_SERVER_DRAINING})


@dataclass(frozen=True, slots=True)
class Watching:
    """What every watcher of a process needs.

    Args:
        max_age_seconds: about how long a stream lives; each one's own end is spread by a tenth.
        max_delay_seconds: how far the reconnects of the watchers of a draining server are spread.
        jitter: a number from 0 to 1, another one each time.
    """

    hub: Hub
    logs: Logs
    clock: StoreClock
    max_age_seconds: float = 1800.0
    max_delay_seconds: float = 3.0
    jitter: Callable[[], float] = random.random

    def follow(self, wish: Wish, sink: Sink, first: Page | None = None) -> Awaitable[None]:
        """Write the messages of one stream, each a WatchJobResponse as bytes.

        Args:
            wish: what was asked for.
            sink: where they go.
            first: what was just written, for a stream that begins with its own submit.

        Raises:
            Refused: no such job, or no such revision.
            StoreUnavailable: the store can't be read.
        """
        return _Stream(self, wish, sink).run(first)


class _Stream:
    """One watcher. Messages are made in batches: what one look into the log, or the hints at hand, yield.

    While it waits, what it keeps is this and the frame of `run`; so that frame holds no message.
    """

    __slots__ = (
        "_bell",
        "_cursor",
        "_deadline",
        "_lost",
        "_quiet_until",
        "_room",
        "_rounds",
        "_sink",
        "_unreadable_since",
        "_wish",
    )
    _bell: Bell

    def __init__(self, room: Watching, wish: Wish, sink: Sink) -> None:
        self._room = room
        self._rounds = room.hub.rounds
        self._wish = wish
        self._sink = sink
        self._cursor = Cursor(max(0, wish.start_revision - 1), wish.incarnation)
        self._deadline = self._rounds.now() + room.max_age_seconds * (0.9 + 0.2 * room.jitter())
        self._quiet_until = 0.0
        self._unreadable_since: float | None = None
        self._lost = False

    async def run(self, first: Page | None) -> None:
        hub = self._room.hub
        self._bell = hub.join(self._wish.job_id)
        try:
            await self._send(await self._open(first))
            del first  # so that it does not stay as long as the stream
            while (reason := self._reason_to_end()) is None:
                if self._bell.is_silent():
                    await self._rounds.wait(self._bell, min(self._quiet_until, self._deadline))
                await self._send(await self._news())
            await self._sink.write(self._end(reason))
        finally:
            hub.leave(self._bell)

    async def _send(self, batch: list[bytes]) -> None:
        self._bell.sent = self._cursor.sent
        for message in batch:
            await self._sink.write(message)
        if batch:
            self._quiet_until = self._rounds.now() + self._wish.progress_seconds - ROUND_SECONDS

    async def _open(self, first: Page | None) -> list[bytes]:
        self._bell.dirty = False  # the bell rings already, so nothing falls between this look and the next hint
        page = first or await self._read(with_job=self._wish.start_revision == 0 or self._wish.latest_only)
        if page is None or self._wish.is_of_another_life(page):
            raise (deleted_job if self._wish.uid else unknown_job)(self._wish.job_id)
        check_start(self._wish.start_revision, page)
        if self._wish.start_revision == 0:
            return [self._snapshot(page)]
        batch = self._take(page)
        return batch if batch or self._lost else [await self._progress()]

    async def _news(self) -> list[bytes]:
        bell = self._bell
        if bell.dirty or (bell.hints and self._wish.latest_only):
            return await self._look()
        if bell.hints:
            return self._follow()
        return await self._progress_if_quiet()

    def _follow(self) -> list[bytes]:
        batch = []
        for hint in self._bell.take():
            match self._cursor.judge(hint):
                case Verdict.DOUBT:
                    self._bell.doubt()
                    break
                case Verdict.NEXT if not hint.message and self._wants(hint.type):
                    self._bell.doubt()  # what the feed does not show stands in the log
                    break
                case Verdict.NEXT:
                    self._cursor.advance(hint.revision, hint.incarnation, terminal=hint.terminal)
                    if self._wants(hint.type):
                        batch.append(hint.message)
                case Verdict.OLD:
                    continue
        return batch

    async def _look(self) -> list[bytes]:
        bell = self._bell
        bell.hints.clear()
        bell.dirty = False
        try:
            page = await self._read(with_job=self._wish.latest_only)
        except StoreUnavailable:
            bell.dirty = True
            return await self._bear()
        self._unreadable_since = None
        if page is None:
            self._lost = True
            return []
        return self._take(page)

    async def _bear(self) -> list[bytes]:
        now = self._rounds.now()
        self._unreadable_since = self._unreadable_since or now
        if now - self._unreadable_since > PATIENCE_SECONDS:
            raise StoreUnavailable("for too long")
        await asyncio.sleep(PAUSE_SECONDS * (0.5 + self._room.jitter()))
        return await self._progress_if_quiet()

    async def _read(self, *, with_job: bool) -> Page | None:
        first = self._cursor.first_wanted()
        count = 1 if self._wish.latest_only and not self._wish.types else PAGE
        return await self._room.logs.read_log(self._wish.job_id, first=first, count=count, with_job=with_job)

    def _take(self, page: Page) -> list[bytes]:
        if self._cursor.lost_by(page):
            self._lost = True
            return []
        if (damage := page.damage(self._cursor.sent + 1)) is not None:
            raise JobDamaged(self._wish.job_id, damage)
        if self._wish.latest_only:
            return self._newest(page)
        batch = [message for body in self._cursor.unsent(page) for message in self._event(body)]
        self._cursor.settle(page)
        if self._cursor.sent < page.revision:
            self._bell.dirty = True
        return batch

    def _newest(self, page: Page) -> list[bytes]:
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
        if self._wish.types and not self._wants(pb.JobEvent.FromString(body).type):
            return []
        return [message_bytes.event(self._wish.name.encode(), revision, body, incarnation.encode())]

    def _snapshot(self, page: Page) -> bytes:
        incarnation = event_log.incarnation(page.last)
        self._cursor.advance(page.revision, incarnation, terminal=page.state in JOB_TERMINAL)
        return message_bytes.snapshot(self._wish.name.encode(), page.revision, page.job, incarnation.encode())

    def _wants(self, kind: pb.EventType.ValueType) -> bool:
        return not self._wish.types or kind in self._wish.types

    def _reason_to_end(self) -> pb.StreamEndReason.ValueType | None:
        bell = self._bell
        if self._cursor.terminal and not (bell.hints or bell.dirty):
            return pb.STREAM_END_REASON_JOB_TERMINAL
        if bell.deleted and not bell.hints:
            return pb.STREAM_END_REASON_JOB_DELETED
        if self._lost:
            return pb.STREAM_END_REASON_HISTORY_LOST
        if bell.draining:
            return pb.STREAM_END_REASON_SERVER_DRAINING
        return pb.STREAM_END_REASON_MAX_STREAM_AGE if self._rounds.now() >= self._deadline else None

    async def _progress_if_quiet(self) -> list[bytes]:
        return [await self._progress()] if self._rounds.now() >= self._quiet_until else []

    async def _progress(self) -> bytes:
        message = self._response()
        message.progress.server_time.CopyFrom(timestamp(self._room.clock.now_ms()))
        last_ms, next_ms = await self._polls()
        if last_ms:
            message.progress.last_upstream_poll_time.CopyFrom(timestamp(last_ms))
        if next_ms:
            message.progress.next_upstream_poll_time.CopyFrom(timestamp(next_ms))
        return message.SerializeToString()

    async def _polls(self) -> tuple[int, int]:
        """What the store says of polls, if it says it at once: a sign of life is owed all the same."""
        if self._unreadable_since is not None:
            return 0, 0
        try:
            async with asyncio.timeout(POLLS_SECONDS):
                return await self._room.logs.polls(self._wish.job_id)
        except (ServerError, TimeoutError):
            return 0, 0

    def _end(self, reason: pb.StreamEndReason.ValueType) -> bytes:
        message = self._response()
        message.end.reason = reason
        if reason in _RESUMABLE:
            message.end.resume_revision = self._cursor.sent + 1
        if reason == pb.STREAM_END_REASON_SERVER_DRAINING:
            delay_ms = self._room.max_delay_seconds * 1000 * self._room.jitter()
            message.end.reconnect_delay.FromMilliseconds(int(delay_ms))
        return message.SerializeToString()

    def _response(self) -> pb.WatchJobResponse:
        cursor = self._cursor
        return pb.WatchJobResponse(revision=cursor.sent, job=self._wish.name, incarnation=cursor.incarnation)
