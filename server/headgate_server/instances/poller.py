"""Keep the rows of watched instances recent: one look per instance for all watchers, one read for all servers.

A look is a read of the store: the last observation of the instance, and which process reads it. The process that takes
the claim on the next read asks the workers once, and the answer is in the store for all servers. An instance that a job
follows is not read here at all: the job's worker holds the claim, and its reads are what the watchers see. No watcher,
no read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from headgate.store import keys
from headgate_server.errors import status
from headgate_server.errors.exceptions import ServerError, StoreUnavailable
from headgate_server.instances.subscription import Viewer, Watched
from headgate_server.instances.watch_shares import WatchShares
from headgate_server.ports.call import Call
from headgate_server.ports.caller import Caller
from headgate_server.ports.clock import StoreTime
from headgate_server.ports.instance_kinds import InstanceKey, InstanceKind, PollPace, Row
from headgate_server.ports.observations import Observation, ObservationStore
from headgate_server.ports.reads import Request

_log = logging.getLogger(__name__)

CHUNK: Final = 100
"""Instances of one look: they are considered in one go, 1 ms or so, between which calls are served."""

BEAT_SECONDS: Final = 0.02
"""Shortest time between two batches of looks, in seconds, so that instances due together are looked at together."""

SHARED_SECONDS: Final = 1.0
"""Time between two looks at an instance that a job follows."""

CONTESTED_SECONDS: Final = 0.2
"""Time to the next look while another server reads an instance."""

LINGER_MS: Final = 1_000
"""How long a claim outlives its read, half a poll at most, for a server that looked before it and claims after it."""

HOLD_MARGIN_MS: Final = 2_000
"""How much longer a claim is held than a read can take; if its server dies, another one takes over then."""


class WatcherReads(Protocol):
    """Port: asks workers."""

    async def ask_for_watchers(self, method: str, request: Request, call: Call) -> bytes:
        """A worker's answer to a read."""


class InstancePoller:
    """The watched instances of a process. `run` must be running.

    `watchers` is how many streams there are, `lost_since` when the store was first not to be read, by the loop's clock.

    Args:
        shares: says who may watch what, and for whom an instance is read.
        read_seconds: longest time a worker is waited for.
    """

    def __init__(
        self,
        reads: WatcherReads,
        store: ObservationStore,
        clock: StoreTime,
        pace: PollPace,
        shares: WatchShares,
        *,
        read_seconds: float,
    ) -> None:
        self._shares = shares
        self._reads = reads
        self._store = store
        self._clock = clock
        self._pace = pace
        self._hold_ms = int(read_seconds * 1000) + HOLD_MARGIN_MS
        self._watched: dict[InstanceKey, Watched] = {}
        self._viewers: set[Viewer] = set()
        self._reading: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._draining = False
        self.lost_since: float | None = None

    @property
    def watchers(self) -> int:
        """How many streams are open."""
        return len(self._viewers)

    @property
    def instances(self) -> int:
        """How many instances are watched."""
        return len(self._watched)

    @contextmanager
    def watching(self, instances: Iterable[InstanceKey], caller: Caller) -> Iterator[Viewer]:
        """A caller's viewer of instances, which are looked at as long as it is there.

        Raises:
            Refused: CALLER_LIMIT.
        """
        wanted = tuple(dict.fromkeys(instances))
        self._shares.enter(caller, wanted)
        viewer = Viewer([self._join(instance) for instance in wanted], draining=self._draining)
        self._viewers.add(viewer)
        self._woken.set()
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            self._shares.leave(caller, wanted)
            for instance in wanted:
                self._leave(instance, viewer)

    def drain(self) -> None:
        """Mark every stream, present and later, as draining: this server shuts down."""
        self._draining = True
        for viewer in self._viewers:
            viewer.drain()

    async def run(self) -> None:
        """Look, until cancelled, through every failure of the store and of workers."""
        try:
            while True:
                await self._look_at_due()
                await asyncio.sleep(BEAT_SECONDS)
                await self._sleep()
        finally:
            for task in self._reading:
                task.cancel()
            await asyncio.gather(*self._reading, return_exceptions=True)

    def _join(self, instance: InstanceKey) -> Watched:
        watched = self._watched.setdefault(instance, Watched(instance.kind, instance.id))
        now_ms = self._clock.now_ms()
        # An end counts only when it was just observed: the instance may have been run again since.
        watched.wanted_ms = max(watched.wanted_ms, now_ms - self._pace.min_ms)
        watched.due = 0.0
        return watched

    def _leave(self, instance: InstanceKey, viewer: Viewer) -> None:
        watched = self._watched[instance]
        watched.viewers.discard(viewer)
        if not watched.viewers:
            del self._watched[instance]

    async def _sleep(self) -> None:
        self._woken.clear()
        due = min((watched.due for watched in self._watched.values() if not watched.is_read), default=None)
        try:
            async with asyncio.timeout_at(due):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _look_at_due(self) -> None:
        now = asyncio.get_running_loop().time()
        due = [found for found in self._watched.items() if found[1].due <= now and not found[1].is_read]
        for start in range(0, len(due), CHUNK):
            chunk = due[start : start + CHUNK]
            try:
                rows = await self._store.seen([instance for instance, _ in chunk])
            except ServerError as error:
                self._lose(error, chunk)
                continue
            self.lost_since = None
            for (instance, watched), seen in zip(chunk, rows, strict=True):
                self._consider(instance, watched, seen)

    def _lose(self, error: ServerError, chunk: Sequence[tuple[InstanceKey, Watched]]) -> None:
        now = asyncio.get_running_loop().time()
        if self.lost_since is None:
            _log.warning("watched instances can't be looked at: %s", type(error).__name__)
            self.lost_since = now
        for _, watched in chunk:
            watched.due = now + SHARED_SECONDS
            watched.wake_viewers()

    def _consider(self, instance: InstanceKey, watched: Watched, seen: Observation) -> None:
        """Take the last observation, and read the instance again where that is due and no other process does."""
        loop_now, now_ms = asyncio.get_running_loop().time(), self._clock.now_ms()
        row = _parsed(instance.kind, seen.raw)
        if row is not None and seen.raw:
            seen_ms, ended = row.observe_time.ToMilliseconds(), instance.kind.has_ended(row)
            left_ms = seen_ms + self._pace.interval_ms(instance.kind, row) - now_ms
            followed = seen.holder == keys.LOOK_JOB and not ended
            if followed or (left_ms > 0 and not (ended and seen_ms < watched.wanted_ms)):
                watched.take(row, seen.raw)
                watched.due = loop_now + (SHARED_SECONDS if followed else left_ms / 1000)
                watched.next_ms = 0 if followed else now_ms + left_ms
                return
        watched.due = loop_now + CONTESTED_SECONDS
        if not seen.holder:
            self._begin_read(instance, watched)

    def _begin_read(self, instance: InstanceKey, watched: Watched) -> None:
        """Read an instance for one of the callers who watch it, when one has a share left."""
        caller = self._shares.reader(instance)
        if not isinstance(caller, Caller):
            watched.due = asyncio.get_running_loop().time() + caller
            watched.next_ms = self._clock.now_ms() + int(caller * 1000)
            return
        watched.is_read = True
        task = asyncio.create_task(self._read(instance, watched, caller), name=f"look {instance.id}")
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, instance: InstanceKey, watched: Watched, caller: Caller) -> None:
        wait_ms = 0
        try:
            if await self._store.claim(instance, self._hold_ms):
                raw = await self._ask(instance, caller)
                watched.take(instance.kind.row.FromString(raw), raw)
                watched.failures = 0
                await self._store.keep(instance, min(LINGER_MS, self._pace.min_ms // 2))
        except StoreUnavailable:
            wait_ms = int(SHARED_SECONDS * 1000)
        except ServerError as error:
            wait_ms = await self._fail(instance, watched, error)
        except Exception:
            _log.exception("instance %s can't be read", instance.id)
            wait_ms = self._pace.max_ms
        finally:
            following = self._shares.has_read(instance, caller)
            if following is not None and (waits := self._watched.get(following)) is not None:
                waits.due = 0.0
            watched.is_read = False
            watched.due = asyncio.get_running_loop().time() + wait_ms / 1000
            self._woken.set()

    async def _ask(self, instance: InstanceKey, caller: Caller) -> bytes:
        request = instance.kind.request(instance.connection, instance.id)
        return await self._reads.ask_for_watchers(instance.kind.method, request, Call(caller=caller))

    async def _fail(self, instance: InstanceKey, watched: Watched, error: ServerError) -> int:
        """Pass a failed read to the watchers; in how many ms the next try is due."""
        watched.failures += 1
        told = status.translate(error)
        if told is None:
            _log.error("instance %s can't be read", instance.id, exc_info=error)
            told = Status()
        if not status.is_passing(told):
            watched.fail(told)
            return self._pace.max_ms
        wait_ms = max(self._pace.after_failures_ms(watched.failures), min(status.retry_ms(told), self._pace.max_ms))
        watched.lack(told)
        try:
            await self._store.keep(instance, wait_ms)
        except ServerError:
            _log.debug("the claim on %s ends by itself", instance.id)
        return wait_ms


def _parsed(kind: InstanceKind, raw: bytes | None) -> Row | None:
    try:
        return kind.row.FromString(raw) if raw else None
    except DecodeError:
        return None
