"""An ARQ worker whose claims are leases: wire-compatible with arq 0.28, and safe where that is not.

Everything we change about ARQ is in this module. The same keys mean the same to a stock worker. What differs, each
after a measured failure of the stock one: a claim carries its owner and a lease that is renewed, so that a killed
worker's entry is free after seconds instead of timeout + 10 s; finishing checks the owner, so that a paused worker
can't delete its successor's entry; a kick list wakes a worker at once instead of at its next poll; Redis errors never
leave the loop; an entry whose function or definition is not understood is put back for a worker that does, never
deleted; no results are kept and nothing is ever unpickled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from arq.worker import Worker, func
from redis.asyncio import Redis

from headgate.store import keys, queue_entries
from headgate_worker.ports.store import STORE_AWAY
from headgate_worker.queue import claim_scripts, lane_shares
from headgate_worker.queue.claim_scripts import (
    ClaimEntriesArguments,
    ClaimEntriesKeys,
    EndArguments,
    QueueKeys,
    RenewClaimsArguments,
)
from headgate_worker.queue.kick_list import KickList
from headgate_worker.queue.lane_shares import ClaimSharedArguments, LaneShares

_log = logging.getLogger(__name__)

PUT_BACK_MS: Final = 2_000
"""When an entry that broke, or that this version does not understand, is due again."""

LEFT_SECONDS: Final = 60.0
"""For how long an entry that this version does not understand is left to other workers before it is looked at again."""

MOST_LEFT: Final = 500
"""Most entries that are left at a time; more are put back as often as they are claimed."""

Function = Callable[..., Awaitable[int | None]]
"""What an entry runs: it takes the entry's arguments. Answers the ms until the entry is due again; None ends it."""


@dataclass(frozen=True, slots=True)
class _End:
    """A claim that is to be ended, and who waits for that."""

    entry_id: str
    again_ms: int | str
    told: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """How one lane works.

    Args:
        queue: the ARQ queue.
        slots: entries that run side by side.
        poll_seconds: longest sleep; the safety net behind the kick list.
        lease_ms: life of a claim that is not renewed.
        drain_seconds: how long running entries may go on after a stop before they are cut off.
        shared: whether callers and connections share the slots, as `lane_shares` says.
        withdraw_ms: shortest time between two looks for running entries that were withdrawn; 0 where none are.
    """

    queue: str
    slots: int
    poll_seconds: float = 1.0
    lease_ms: int = 3_000
    drain_seconds: float = 15.0
    withdraw_ms: int = 0
    shared: bool = False

    @property
    def renew_ms(self) -> int:
        """Time between two renewals of leases; who renews one learns whether its entry was withdrawn."""
        most = self.lease_ms // 3
        return min(most, self.withdraw_ms) if self.withdraw_ms else most


class LeasedWorker(Worker):
    """One lane of a worker process: claims entries of a queue and runs them."""

    def __init__(
        self, redis: Redis, blocking: Redis, functions: dict[str, Function], options: LaneOptions, owner: str
    ) -> None:
        # The base class is given what it would otherwise open itself, and no signal handlers: the process has its own.
        super().__init__(
            functions=[func(function, name=name) for name, function in functions.items()],  # type: ignore[arg-type]
            queue_name=options.queue,
            redis_pool=redis,  # type: ignore[arg-type]  # only commands that every client has are used
            handle_signals=False,
            max_jobs=options.slots,
            job_timeout=300,
            keep_result=0,
            max_tries=10**6,
            job_serializer=queue_entries.encode,
            job_deserializer=queue_entries.decode,
        )
        self._options = options
        self._functions = functions
        self._redis = redis
        self._kicks = KickList(blocking, keys.kick(options.queue), options.poll_seconds)
        self._owner = owner
        self._stopping = asyncio.Event()
        self._slot_free = asyncio.Event()
        self._drained = False
        self._claim = redis.register_script(lane_shares.CLAIM if options.shared else claim_scripts.CLAIM)
        self._shares = LaneShares()
        self._far_at = 0.0
        self._renew = redis.register_script(claim_scripts.RENEW)
        self._finish = redis.register_script(claim_scripts.FINISH)
        self._ending: set[str] = set()
        self._ends: list[_End] = []
        self._ends_over = False
        self._left: dict[str, float] = {}
        self._ends_come = asyncio.Event()
        self.running: dict[str, asyncio.Task[None]] = {}

    def stop(self) -> None:
        """Claim nothing more; `main` returns when the running entries have ended or were cut off."""
        self._stopping.set()
        self._slot_free.set()
        self._kicks.stop()

    def expect(self, delay_ms: int) -> None:
        """Claim again in so many ms at the latest: an entry that this process has just scheduled is due then."""
        self._kicks.expect(delay_ms)

    async def main(self) -> None:
        """Claim and run until stopped. Redis may go and come back; the loop does not end for that."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew_leases(), name=f"renew {self._options.queue}")
            group.create_task(self._end_claims(), name=f"end {self._options.queue}")
            try:
                while not self._stopping.is_set():
                    await self._claim_or_wait(group)
            finally:
                await self._kicks.drop()
            await self._drain()
            self._drained = True  # and cancelled: a cancellation alone may be dropped, see Tick.keep
            renewing.cancel()
            self._ends_come.set()

    async def _claim_or_wait(self, group: asyncio.TaskGroup) -> None:
        try:
            free = self._options.slots - len(self.running)
            if free <= 0:
                self._slot_free.clear()
                await self._kicks.drop()
                await self._slot_free.wait()
                return
            self._slot_free.clear()
            self._kicks.forget()
            claimed, next_ms, are_held = await self._claim_entries(free)
            for entry_id, definition in claimed:
                self._begin(group, entry_id, definition)
            if are_held:
                await self._slot_or(lane_shares.FAR_SECONDS)
            elif len(claimed) < free:
                await self._kicks.wait(next_ms)
        except STORE_AWAY as error:
            _log.warning("lane %s: the store is away (%s)", self._options.queue, type(error).__name__)
            await self._pause(1.0)
        except Exception:
            # The owner of the lane: what can't be foreseen must not end the process and all that runs in it.
            _log.exception("lane %s: claiming broke", self._options.queue)
            await self._pause(1.0)

    async def _claim_entries(self, free: int) -> tuple[list[tuple[str, bytes]], int, bool]:
        """Entries that are due, the ms until the next one is, and whether some are held back for their callers."""
        raw, next_ms, *held = await self._claim(
            keys=ClaimEntriesKeys(self._options.queue, keys.kick(self._options.queue)),
            args=[*self._claim_arguments(free), *self._left_now()],
        )
        pairs = zip(raw[::2], raw[1::2], strict=True)
        return [(keys.text(entry_id), bytes(definition)) for entry_id, definition in pairs], int(next_ms), held == [1]

    def _claim_arguments(self, free: int) -> Sequence[Any]:
        common = ClaimEntriesArguments(free, self._options.lease_ms, self._owner)
        if not self._options.shared:
            return common
        pair_count, *running = self._shares.arguments()
        return [*ClaimSharedArguments(*common, self._passing(), int(pair_count)), *running]

    def _passing(self) -> int:
        """How many entries a claim may pass over: now and then many, to find those that are not held back."""
        now = asyncio.get_running_loop().time()
        if now < self._far_at:
            return lane_shares.CHUNK
        self._far_at = now + lane_shares.FAR_SECONDS
        return lane_shares.FAR

    async def _slot_or(self, seconds: float) -> None:
        """Wait until an entry ends; it may be that of a caller whose next one is held back."""
        try:
            async with asyncio.timeout(seconds):
                await self._slot_free.wait()
        except TimeoutError:
            return

    def _left_now(self) -> Sequence[str]:
        """Entries that are left to others: who claims an entry again and again keeps it from who understands it."""
        if self._left:
            now = asyncio.get_running_loop().time()
            self._left = {entry_id: until for entry_id, until in self._left.items() if until > now}
        return tuple(self._left)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _begin(self, group: asyncio.TaskGroup, entry_id: str, definition: bytes) -> None:
        self._shares.begin(entry_id)
        task = group.create_task(self._run_entry(entry_id, definition), name=entry_id)
        self.running[entry_id] = task
        task.add_done_callback(lambda _: self._ended(entry_id))

    def _ended(self, entry_id: str) -> None:
        self.running.pop(entry_id, None)
        self._shares.end(entry_id)
        self._ending.discard(entry_id)
        self._slot_free.set()

    async def _run_entry(self, entry_id: str, definition: bytes) -> None:
        put_back_ms: int | None = None
        try:
            put_back_ms = await self._call_function(entry_id, definition)
        except asyncio.CancelledError:
            put_back_ms = 0  # cut off by a shutdown or a lost lease: due at once for the next worker
        except STORE_AWAY as error:
            _log.warning("entry %s: the store is away (%s)", entry_id, type(error).__name__)
            put_back_ms = PUT_BACK_MS
        except (Exception, SystemExit):
            # The owner of a task: what broke is logged once, and the entry is tried again. An exit that was asked for
            # deep inside is no more than that: out of the loop it would cut off all that runs beside the entry.
            _log.exception("entry %s broke", entry_id)
            put_back_ms = PUT_BACK_MS
        self._ending.add(entry_id)  # a renewal that comes after the end finds nothing, which is no loss
        await self._end_claim(entry_id, put_back_ms)

    async def _call_function(self, entry_id: str, definition: bytes) -> int | None:
        """Run an entry; the ms until it is due again when it says so or is not understood, None when it is done."""
        if not definition:
            return None  # its definition has expired: only an id is left, and the reaper knows the job
        try:
            parsed = queue_entries.decode(definition)
            function = self._functions[parsed["f"]]
            arguments = list(parsed["a"])
            named = dict(parsed["k"]) if self._options.shared else {}
        except (ValueError, KeyError, TypeError):
            _log.warning("entry %s is not understood by this version; put back", entry_id)
            if len(self._left) < MOST_LEFT:
                self._left[entry_id] = asyncio.get_running_loop().time() + LEFT_SECONDS
            return PUT_BACK_MS
        again_ms = await function(*arguments, **named)
        self.jobs_complete += 1
        return again_ms

    async def _end_claim(self, entry_id: str, put_back_ms: int | None) -> None:
        """Have the claim ended with those of others; a cancellation does not stop that."""
        if self._ends_over:
            return  # the lane itself was cut off: the lease ends by itself
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ends.append(_End(entry_id, "" if put_back_ms is None else put_back_ms, told))
        self._ends_come.set()
        await told

    async def _end_claims(self) -> None:
        try:
            while self._ends or not self._drained:
                await self._ends_come.wait()
                self._ends_come.clear()
                ends, self._ends = self._ends, []
                if ends:
                    await self._finish_all(ends)
        finally:
            self._ends_over = True  # nothing may wait for this any more, or a lane that is cut off would never end
            _tell(self._ends)

    async def _finish_all(self, ends: Sequence[_End]) -> None:
        words = [word for end in ends for word in (end.entry_id, end.again_ms)]
        try:
            await self._finish(keys=QueueKeys(self._options.queue), args=[*EndArguments(self._owner), *words])
        except STORE_AWAY as error:
            # The leases end by themselves, and the entries are claimed again: ticks too many, which are harmless.
            _log.warning("the end of %d entries could not be recorded (%s)", len(ends), type(error).__name__)
        except Exception:
            # The owner of a task: without it no entry would ever end, and soon no slot be free.
            _log.exception("lane %s: ending %d claims broke", self._options.queue, len(ends))
        finally:
            _tell(ends)

    async def _renew_leases(self) -> None:
        before: frozenset[str] = frozenset()
        while not self._drained:
            await asyncio.sleep(self._options.renew_ms / 1000)
            now = frozenset(self.running)
            # Where looks are that frequent most entries end between two of them: those cost nothing.
            due = now & before if self._options.withdraw_ms else now
            if due:
                await self._renew_once(tuple(due))
            before = now

    async def _renew_once(self, ids: Sequence[str]) -> None:
        arguments: list[Any] = [*RenewClaimsArguments(self._options.lease_ms, self._owner), *ids]
        try:
            lost = await self._renew(keys=QueueKeys(self._options.queue), args=arguments)
        except STORE_AWAY as error:
            _log.warning("lane %s: leases not renewed (%s)", self._options.queue, type(error).__name__)
            return
        except Exception:
            # The owner of a task: without it every entry that lasts would be taken for a dead worker's.
            _log.exception("lane %s: renewing leases broke", self._options.queue)
            return
        for entry_id in lost:
            task = self.running.get(keys.text(entry_id))
            if task is not None and keys.text(entry_id) not in self._ending:
                level = logging.DEBUG if self._options.withdraw_ms else logging.WARNING
                _log.log(level, "entry %s was taken over or withdrawn", keys.text(entry_id))
                task.cancel()

    async def _drain(self) -> None:
        tasks = tuple(self.running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._options.drain_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=5.0)


def _tell(ends: Sequence[_End]) -> None:
    for end in ends:
        if not end.told.done():
            end.told.set_result(None)
