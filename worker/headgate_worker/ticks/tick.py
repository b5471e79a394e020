"""One job taken for one tick: its lease, what was decided, and the commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys, queue_entries
from headgate.store.charges import Exceeded
from headgate.store.commit import Commit, CommitOutcome, Committed, Damaged, Polls, Stale, Usage, Wake
from headgate.store.date_claims import Hold, Overlapping, hold_of, waits
from headgate_worker.core.model.calls import ACTIONS, WRITES, Call, Failure, FailureKind, Outcome
from headgate_worker.core.model.hints_codec import decode_hints, encode_hints
from headgate_worker.core.model.steps import Act, Change, apply
from headgate_worker.ports.clock import Clock, Jitter
from headgate_worker.ports.store import STORE_AWAY, Taken, TickStore

Checkpoint = Callable[[str], None]
"""Called with the name of a point of a tick."""

DECISIONS: Final = 20
"""How often one thing is decided anew while others move the job on at the same time."""

POINTS: Final = ("taken", "committing", "committed", "intended", "answered")
"""Every point of a tick, in the order they are first reached."""


def no_checkpoint(name: str) -> None:
    """Do nothing at a point of a tick."""


class LeaseLost(Exception):
    """The job was taken by another tick, or is gone: this tick must not write any more."""


class DamagedJob(Exception):
    """Job and log disagree, or the log is none: nothing can be written."""


class JobChanged(Exception):
    """Another writer has moved the job on: what was decided has to be decided anew."""


class LogFull(Exception):
    """The job's log is as long as a worker may make it: nothing can be added but the job's end."""


class DatesHeld(Exception):
    """Other backfills have dates that the job waits for: it stays as it is."""


@dataclass(frozen=True, slots=True)
class TickLimits:
    """Bounds of one tick.

    Args:
        seconds: begin nothing new after this long.
        call_seconds: longest time one call upstream may take.
        attempts: ticks of one job that may die in a row before it is given up as poisoned.
    """

    seconds: float = 5.0
    call_seconds: float = 10.0
    attempts: int = 5


@dataclass(frozen=True, slots=True)
class NextTick:
    """How a tick ends whose job waits for something.

    Args:
        wake_ms: when the next one is due.
        poll_ms: when upstream is to be asked next; 0 when that is not known.
    """

    wake_ms: int
    poll_ms: int


class Tick:
    """A job while one tick has it."""

    def __init__(
        self, store: TickStore, clock: Clock, jitter: Jitter, taken: Taken, began: float, checkpoint: Checkpoint
    ) -> None:
        self._store = store
        self._clock = clock
        self._jitter = jitter
        self._checkpoint = checkpoint
        self._began = began
        self._lease_ends = began + store.lease_ms / 1000
        self._usage = Usage()
        self._polled_ms: int | None = None
        self.taken = taken
        self.over = False
        self.job = taken.job
        self.hints = decode_hints(taken.hints)
        self.release = taken.release
        self.job_id = keys.job_id(taken.job.name)

    def elapsed(self) -> float:
        """Seconds since the tick began."""
        return self._clock.monotonic() - self._began

    def holds_lease(self) -> bool:
        """Whether the lease has surely not ended: it is counted from before it was asked for."""
        return self._clock.monotonic() < self._lease_ends

    async def hold(self) -> None:
        """Make sure of the lease: renew it when it may have ended and no other tick has taken the job since.

        Raises:
            LostJob: another tick has the job; what was intended is searched for before it is sent.
            redis.exceptions.RedisError: the store can't say.
        """
        if not self.holds_lease() and not (await self._renew() and self.holds_lease()):
            raise LeaseLost

    async def keep(self) -> None:
        """Renew the lease until the tick is over; LostJob when another tick has the job.

        `over` is set and the task cancelled, both: redis-py's own client sends through wait_for, and Python 3.11 drops
        a cancellation that comes together with the result (measured), so a loop that waited for it alone would not end.
        """
        while True:
            try:
                kept = await self._renew()
            except STORE_AWAY:
                kept = True  # a lease that lapses meanwhile shows in holds_lease, and a commit finds out
            if not kept:
                raise LeaseLost
            if self.over:
                return
            await asyncio.sleep(self._store.lease_ms / 3000)

    async def _renew(self) -> bool:
        asked = self._clock.monotonic()
        kept = await self._store.renew(self.job_id, self.taken.fence)
        if kept:
            self._lease_ends = max(self._lease_ends, asked + self._store.lease_ms / 1000)
        return kept

    def count(self, call: Call, outcome: Outcome) -> None:
        """Put a call on the job's bill; it is written with the next commit."""
        throttled = isinstance(outcome, Failure) and outcome.kind in (FailureKind.THROTTLED, FailureKind.FROZEN)
        write = type(call) in WRITES
        so_far = self._usage
        self._usage = Usage(
            so_far.reads + (not write), so_far.writes + write, so_far.throttled + throttled, so_far.waited_ms
        )
        if not write:
            self._polled_ms = self._clock.now_ms()

    def waited(self) -> None:
        """Put what a call has waited for its slot so far on the job's bill, and count anew from now on."""
        now_ms, since_ms = self._clock.now_ms(), self.hints.waits_since_ms
        if since_ms:
            self._usage = replace(self._usage, waited_ms=self._usage.waited_ms + max(0, now_ms - since_ms))
        self.hints = replace(self.hints, waits_since_ms=now_ms)

    def waits_no_more(self) -> None:
        """There is no call any more that waits for a slot."""
        if self.hints.waits_since_ms:
            self.waited()
            self.hints = replace(self.hints, waits_since_ms=0, queues_since_ms=0)

    async def take(self, change: Change, call: pb.UpstreamCall) -> None:
        """Commit what an outcome changes; hints alone wait for the next commit."""
        for draft in change.drafts:
            draft.upstream_call.CopyFrom(call)
        before, self.hints = self.hints, change.hints
        if not change.drafts:
            return
        try:
            await self.commit(change.drafts)
        except JobChanged:
            self.hints = before
            raise

    async def commit(
        self, drafts: tuple[pb.JobEvent, ...], *, wake_ms: int | None = None, poll_ms: int | None = None
    ) -> None:
        """Commit drafts on top of the job; with `wake_ms` the tick is over and the job is given back.

        `poll_ms` is when upstream is to be asked next; 0 when that is not known, None when it is not known yet.

        Raises:
            Moved: another writer has moved the job on.
            InLine: it would begin, and others have its dates.
            LogFull: there is no room in its log.
            LostJob: another tick has the job.
            DamagedJob: nothing can be written.
        """
        now_ms = self._clock.now_ms()
        job, events = apply(self.job, drafts, now_ms=now_ms)
        over = wake_ms is not None or job.state in JOB_TERMINAL
        change = Commit(
            before=self.job.state,
            job=job,
            expected_revision=self.job.revision,
            events=tuple(event.SerializeToString(deterministic=True) for event in events),
            fence=self.taken.fence,
            hints=encode_hints(self.hints),
            wake=None if wake_ms is None else self._wake(now_ms, wake_ms),
            usage=self._usage,
            lease_ms=0 if over else self._store.lease_ms,
            hold=hold_at(self.job, job),
            polls=Polls(self._polled_ms, poll_ms),
        )
        await self._run(change)
        self.job, self._usage = job, Usage()

    async def _run(self, change: Commit) -> None:
        self._checkpoint("committing")
        asked = self._clock.monotonic()
        # A commit cut off by a shutdown may or may not be applied: it is seen through to its answer.
        answer: CommitOutcome = await asyncio.shield(self._store.commit(change))
        self._checkpoint("committed")
        if isinstance(answer, Stale):
            raise JobChanged
        if isinstance(answer, Overlapping):
            raise DatesHeld
        if isinstance(answer, Exceeded):
            raise LogFull(f"{answer.quota} {answer.limit}")
        if isinstance(answer, Damaged):
            raise DamagedJob
        if not isinstance(answer, Committed):
            raise LeaseLost
        self._lease_ends = max(self._lease_ends, asked + self._store.lease_ms / 1000)

    def _wake(self, now_ms: int, wake_ms: int) -> Wake:
        entry = queue_entries.tick(self.job_id, nonce=self._jitter.nonce(), now_ms=now_ms)
        return Wake(entry, max(0, wake_ms - now_ms))

    async def end_with(self, following: NextTick) -> None:
        """End the tick and give the job back until the next one; raises as `commit` does."""
        await self.commit((), wake_ms=following.wake_ms, poll_ms=following.poll_ms)

    async def reload(self) -> None:
        """Read the job again after another writer moved it on; LostJob when it is gone."""
        job = await self._store.load(self.job_id)
        if job is None:
            raise LeaseLost
        self.job = job

    async def end(self, drafts: tuple[pb.JobEvent, ...]) -> None:
        """End the job with events, whatever it has become; LostJob when others keep moving it on."""
        for _ in range(DECISIONS):
            if self.job.state in JOB_TERMINAL:
                return
            try:
                await self.commit(drafts)
                return
            except JobChanged:
                await self.reload()
        raise LeaseLost

    async def go_on_later(self) -> None:
        """End the tick with the next one due at once; LostJob when others keep moving the job on."""
        for _ in range(DECISIONS):
            try:
                await self.commit((), wake_ms=self._clock.now_ms())
                return
            except JobChanged:
                await self.reload()
        raise LeaseLost


def hold_at(before: pb.Job, after: pb.Job) -> Hold | None:
    """What the commit gives back or, where a job is begun that waited in line, takes."""
    begins = waits(before) and after.HasField("start_time")
    return hold_of(after) if after.state in JOB_TERMINAL or begins else None


def described(act: Act, outcome: Outcome) -> pb.UpstreamCall:
    """The call of an act, as an event shows it."""
    call = pb.UpstreamCall(
        action=ACTIONS[type(act.call)],
        upstream_request_id=outcome.request_id,
        code=outcome.code if isinstance(outcome, Failure) else "",
    )
    call.latency.FromMicroseconds(int(outcome.latency_seconds * 1_000_000))
    return call
