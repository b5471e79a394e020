"""Watchers that record every message they are given, for the comparison with the stored log."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from headgate import pb
from headgate_client import Client, EndItem, EventItem, HeadgateError, SnapshotItem, WatchItem, WatchOptions

UNOPENED = "not opened: "
"""Beginning of the cause when a stream failed before it gave anything."""


@dataclass(slots=True)
class Record:
    """What one watcher was given.

    Args:
        job_id: whose job.
        revisions: of the events, in the order they came.
        payloads: the events themselves, serialised alike for every comparison.
        causes: why streams were opened again.
        waits: seconds from a lost stream to the next sign of life.
        ended: whether the watcher got the job's end.
        resets: how often its history was replaced.
        error: what the watch failed with for good; empty when it did not.
    """

    job_id: str
    revisions: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    ended: bool = False
    resets: int = 0
    error: str = ""

    def take(self, revision: int, event: pb.JobEvent) -> None:
        """Note an event."""
        self.revisions.append(revision)
        self.payloads.append(canonical(event))

    def see(self, item: WatchItem) -> None:
        """Note what the client library handed over."""
        match item:
            case EventItem(revision, event):
                self.take(revision, event)
            case SnapshotItem(reset=True):
                self.resets += 1
            case EndItem():
                self.ended = True
            case _:
                return

    @property
    def last(self) -> int:
        """The last revision that was given; 0 before the first."""
        return self.revisions[-1] if self.revisions else 0


def canonical(event: pb.JobEvent) -> bytes:
    """An event as bytes that are equal when the event is."""
    return event.SerializeToString(deterministic=True)


class WatcherCrowd:
    """Watchers through the client library, at most so many at a time; each follows one job from its first revision."""

    def __init__(self, clients: Sequence[Client], *, at_a_time: int = 200) -> None:
        self.records: list[Record] = []
        self._clients = clients
        self._room = asyncio.Semaphore(at_a_time)
        self._tasks: set[asyncio.Task[None]] = set()
        self._options = WatchOptions(progress_interval=5.0)

    def watch(self, job_id: str) -> None:
        """Watch a job, as soon as there is room."""
        record = Record(job_id)
        self.records.append(record)
        client = self._clients[len(self.records) % len(self._clients)]
        task = asyncio.create_task(self._follow(client, record), name=f"watch {job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, seconds: float) -> None:
        """Wait until every watcher got its job's end, at most so long; then close the others."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, client: Client, record: Record) -> None:
        async with self._room:
            try:
                await self._read(client, record)
            except HeadgateError as error:
                record.error = f"{error.code.name} {error.reason}"

    async def _read(self, client: Client, record: Record) -> None:
        lost: list[float] = []
        heard = False

        def note(cause: str, _: float) -> None:
            nonlocal heard
            record.causes[cause if heard else f"{UNOPENED}{cause}"] += 1
            if heard:
                lost.append(time.monotonic())
            heard = False

        async with client.jobs.watch(record.job_id, start_revision=1, watch=self._options, on_reconnect=note) as watch:
            async for item in watch:
                heard = True
                if lost:
                    record.waits.append(time.monotonic() - lost[0])
                    lost.clear()
                record.see(item)
                if isinstance(item, EventItem) and item.event.state == pb.JOB_STATE_NEEDS_ATTENTION:
                    return
