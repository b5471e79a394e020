"""One watcher of all jobs: snapshots of the active ones, then the feed from a position on to an announced end.

The hub's tap and the feed's past tell the same entries. Whatever the tap could not hold is read from the feed, from the
last entry on, which must still stand there unchanged. So nothing is missed or repeated, and a feed that was lost or
trimmed under the watcher is told. Memory is bounded, but for one number per snapshot until the feed has caught up with
the snapshots; until then messages carry no token, since a stream that is continued would not have these numbers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from headgate import pb
from headgate.job import event_log
from headgate.messages import views
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import JobDamaged, Refused, StoreUnavailable
from headgate_server.ports import message_bytes
from headgate_server.ports.call import PATIENCE_SECONDS, Sink
from headgate_server.ports.clock import timestamp
from headgate_server.ports.feed import START, Entry, FeedId, Position, position_of, write_token
from headgate_server.ports.jobs import Page
from headgate_server.requests.filters import Filter
from headgate_server.watch.feed_filter import Sieve
from headgate_server.watch.feed_subscription import Tap
from headgate_server.watch.job_stream import PAUSE_SECONDS, Watching

PAGE: Final = 64
"""Entries that are read, or taken from the tap, at a time."""

SNAPSHOTS: Final = 8
"""Jobs that are read at a time for their snapshots. Each may have some MB, and each stream reads for itself."""

_AFTER_ALL: Final = 2**40
"""A revision that no job reaches: a page from there on has the job and its last event, and no others."""

_RESUMABLE: Final = frozenset({pb.STREAM_END_REASON_MAX_STREAM_AGE, pb.STREAM_END_REASON_SERVER_DRAINING})
_TOKEN: Final = b"\x3a"


class History(Protocol):
    """Port: the feed's past, and the active jobs."""

    async def tip(self) -> Position:
        """Where a reader stands who has read all of the feed."""

    async def read(self, first: FeedId, count: int) -> list[Entry]:
        """At most `count` entries from an id on, that one included."""

    async def begins_after(self, position: FeedId) -> bool:
        """Whether entries after the position may have been trimmed."""

    async def active(self, after: int, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next active jobs, in order of acceptance."""


@dataclass(frozen=True, slots=True)
class FeedWish:
    """What a watcher of all jobs asked for.

    Args:
        wanted: the filter; None lets every job pass.
        position: where to continue; None to begin with snapshots.
        progress_seconds: longest silence.
    """

    wanted: Filter | None = None
    position: Position | None = None
    progress_seconds: float = 15.0


async def follow(room: Watching, history: History, wish: FeedWish, sink: Sink) -> None:
    """Write the messages of one stream, each a WatchJobResponse as bytes.

    Raises:
        Refused: the feed no longer reaches back to the position.
        StoreUnavailable: the store can't be read.
    """
    await _Stream(room, history, wish, sink).run()


class _Stream:
    """One watcher."""

    def __init__(self, room: Watching, history: History, wish: FeedWish, sink: Sink) -> None:
        self._write = sink.write
        self._room = room
        self._history = history
        self._wish = wish
        self._sieve = Sieve(wish.wanted, room.logs)
        self._now = asyncio.get_running_loop().time
        self._position = wish.position or START
        self._shown: dict[str, int] = {}
        self._shown_until: FeedId | None = None
        self._deadline = self._now() + room.max_age_seconds * (0.9 + 0.2 * room.jitter())
        self._quiet_until = 0.0
        self._unreadable_since: float | None = None
        self._lost = False

    async def run(self) -> None:
        with self._room.hub.tapping() as tap:
            if self._wish.position is None:
                await self._write_snapshots()
            batch = await self._look(tap) or ([] if self._lost else [self._progress()])
            while True:
                for message in batch:
                    await self._write(message)
                if batch:
                    self._quiet_until = self._now() + self._wish.progress_seconds
                if reason := self._reason_to_end(tap):
                    await self._write(self._end(reason))
                    return
                batch = await self._next(tap) or self._progress_if_quiet()

    async def _write_snapshots(self) -> None:
        self._position, after = await self._history.tip(), 0
        while chunk := await self._history.active(after, SNAPSHOTS):
            after = chunk[-1][1]
            pages = await asyncio.gather(*(self._page(job_id) for job_id, _ in chunk))
            for (job_id, _), page in zip(chunk, pages, strict=True):
                if page is not None and self._sieve.passes_job(job_id, page.job):
                    await self._write(self._snapshot(job_id, page))
        self._shown_until = (await self._history.tip()).id
        self._settle()

    async def _page(self, job_id: str) -> Page | None:
        try:
            return await self._room.logs.read_log(job_id, first=_AFTER_ALL, count=1, with_job=True)
        except JobDamaged:
            return None  # that job's watcher is told; this is a feed of all

    def _snapshot(self, job_id: str, page: Page) -> bytes:
        self._shown[job_id] = page.revision
        name, incarnation = keys.job_name(job_id).encode(), event_log.incarnation(page.last).encode()
        return message_bytes.snapshot(name, page.revision, views.basic_bytes(page.job), incarnation)

    async def _next(self, tap: Tap) -> list[bytes]:
        try:
            batch = await self._advance(tap)
        except StoreUnavailable:
            tap.doubt()
            return await self._bear()
        self._unreadable_since = None
        return batch

    async def _advance(self, tap: Tap) -> list[bytes]:
        if tap.dirty:
            return await self._look(tap)
        if entries := tap.take(PAGE):
            return await self._take(entries, tap)
        await tap.wait(min(self._quiet_until, self._deadline))
        return []

    async def _bear(self) -> list[bytes]:
        now = self._now()
        self._unreadable_since = self._unreadable_since or now
        if now - self._unreadable_since > PATIENCE_SECONDS:
            raise StoreUnavailable("for too long")
        await asyncio.sleep(PAUSE_SECONDS * (0.5 + self._room.jitter()))
        return []

    async def _look(self, tap: Tap) -> list[bytes]:
        tap.begin_look()  # the tap runs already, so nothing falls between this look and the next entry
        entries = await self._history.read(self._position.id, PAGE + 1)
        if not await self._continues(entries):
            self._lost = True
            return []
        tap.dirty = tap.dirty or len(entries) > PAGE
        return await self._take(entries, tap)

    async def _continues(self, entries: list[Entry]) -> bool:
        if self._position != START and entries and self._position.follows(entries[0]):
            return True
        if await self._history.begins_after(self._position.id):
            raise Refused(Reason.RESUME_TOKEN_EXPIRED, "the feed no longer reaches back so far")
        return self._position == START

    async def _take(self, entries: list[Entry], tap: Tap) -> list[bytes]:
        found: list[bytes] = []
        for entry in entries:
            if entry.id <= self._position.id:
                continue
            try:
                wanted = await self._wants(entry)
            except StoreUnavailable:
                if not found:
                    raise
                tap.doubt()  # what is found goes out first
                break
            self._position = position_of(entry)
            self._settle()
            found += [self._event(entry)] if wanted else []
        return found

    async def _wants(self, entry: Entry) -> bool:
        if entry.revision == 0:
            self._sieve.forget(entry.job_id)
            self._shown.pop(entry.job_id, None)
            return False
        return entry.revision > self._shown.get(entry.job_id, 0) and await self._sieve.passes(entry)

    def _settle(self) -> None:
        if self._shown_until is not None and self._position.id >= self._shown_until:
            self._shown_until = None
            self._shown.clear()

    def _event(self, entry: Entry) -> bytes:
        name, incarnation = keys.job_name(entry.job_id).encode(), entry.incarnation.encode()
        token = self._token().encode()
        shown = entry.event if entry.whole else views.basic_event_bytes(entry.revision, entry.event)
        message = message_bytes.event(name, entry.revision, shown, incarnation)
        return b"".join((message, _TOKEN, message_bytes.varint(len(token)), token)) if token else message

    def _token(self) -> str:
        return "" if self._shown else write_token(self._position)

    def _reason_to_end(self, tap: Tap) -> pb.StreamEndReason.ValueType | None:
        ends = (
            (self._lost, pb.STREAM_END_REASON_HISTORY_LOST),
            (tap.draining, pb.STREAM_END_REASON_SERVER_DRAINING),
            (self._now() >= self._deadline, pb.STREAM_END_REASON_MAX_STREAM_AGE),
        )
        return next((reason for applies, reason in ends if applies), None)

    def _progress_if_quiet(self) -> list[bytes]:
        return [self._progress()] if self._now() >= self._quiet_until else []

    def _progress(self) -> bytes:
        message = pb.WatchJobResponse(resume_token=self._token())
        message.progress.server_time.CopyFrom(timestamp(self._room.clock.now_ms()))
        return message.SerializeToString()

    def _end(self, reason: pb.StreamEndReason.ValueType) -> bytes:
        message = pb.WatchJobResponse(resume_token=self._token() if reason in _RESUMABLE else "")
        message.end.reason = reason
        if reason == pb.STREAM_END_REASON_SERVER_DRAINING:
            delay_ms = self._room.max_delay_seconds * 1000 * self._room.jitter()
            message.end.reconnect_delay.FromMilliseconds(int(delay_ms))
        return message.SerializeToString()
