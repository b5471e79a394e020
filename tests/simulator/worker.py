"""A worker's tick as the engine drives it, step by step, so that anything may happen between any two steps.

What `ticks.engine` and `ticks.tick` do with asyncio is done here with generators that yield how long they wait. The
decisions are the real ones.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Protocol

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.reasons import Reason
from headgate.store import queue_entries
from headgate.store.commit import Commit, Committed, Stale, Usage, Wake
from headgate.store.date_claims import Overlapping
from headgate_worker.core.facts import child_release, stop_records
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import WRITES, Call, Failure, FailureKind, Outcome
from headgate_worker.core.model.hints_codec import decode_hints, encode_hints
from headgate_worker.core.model.steps import Act, Change, Rest, Wait, apply
from headgate_worker.core.model.view import Policy, View
from headgate_worker.core.planner import absorb, plan
from headgate_worker.ticks.engine import LINE_MS
from headgate_worker.ticks.tick import DatesHeld, hold_at
from tests.simulator.chance import Blow, Chance
from tests.simulator.line import Line
from tests.simulator.store import LEASE_MS, ModelStore, Taken
from tests.simulator.timeline import Timeline

TICK_MS = 5_000
STEPS_PER_TICK = 400
SLOT_NEAR_MS = 1_000
ATTEMPTS = 5

Pauses = Generator[int, None, None]


class LeaseLost(Exception):
    """Somebody else has the job."""


class JobChanged(Exception):
    """Somebody else moved the job on."""


class Died(Exception):
    """The worker is no more."""


class Witness(Protocol):
    """Who is told what a worker does."""

    def planned(self, view: View, act: Act | Wait | Rest) -> None:
        """A step was decided."""
        ...

    def waiting(self, wait_ms: int) -> None:
        """A decided call waits for its slot of the quota."""
        ...

    def calling(self, job: pb.Job, call: Call) -> None:
        """A call is about to be sent; `job` is what the store held when it was decided."""
        ...


class Ticks:
    """All ticks of a history's workers; each runs in a worker of its own."""

    def __init__(
        self, timeline: Timeline, chance: Chance, store: ModelStore, line: Line, witness: Witness, policy: Policy
    ) -> None:
        self._timeline = timeline
        self._chance = chance
        self._store = store
        self._line = line
        self._witness = witness
        self._policy = policy
        self.count = 0
        self.unbilled = 0

    def ring(self) -> None:
        """An entry is due: run it as often as chance has it."""
        for _ in range(self._chance.tick_copies(self._timeline.now_ms)):
            self.count += 1
            taken = self._store.begin()
            if taken is not None:
                tick = Tick(self._timeline, self._chance, self._store, self._line, self._witness, self._policy, taken)
                self._go_on(tick, tick.run())

    def _go_on(self, tick: Tick, run: Pauses) -> None:
        try:
            pause_ms = next(run)
        except StopIteration:
            self._end(tick)
        except LeaseLost:
            self._end(tick)
        except JobChanged:
            self._store.release(tick.taken.fence, uncount=False)
            self._end(tick)
        except Died:
            self._store.cut_lease(tick.taken.fence)
            self._end(tick)
        else:
            self._timeline.after(pause_ms, lambda: self._go_on(tick, run))

    def _end(self, tick: Tick) -> None:
        self.unbilled += tick.usage.reads + tick.usage.writes + tick.unheard


class Tick:
    """A job while one tick has it."""

    def __init__(
        self,
        timeline: Timeline,
        chance: Chance,
        store: ModelStore,
        line: Line,
        witness: Witness,
        policy: Policy,
        taken: Taken,
    ) -> None:
        self._timeline = timeline
        self._chance = chance
        self._store = store
        self._line = line
        self._witness = witness
        self._policy = policy
        self._began_ms = timeline.now_ms
        self._lease_ends_ms = timeline.now_ms + LEASE_MS
        self._confirmed = taken.job
        self.taken = taken
        self.job = taken.job
        self.hints = decode_hints(taken.hints)
        self.usage = Usage()
        self.unheard = 0

    def run(self) -> Pauses:
        """The tick, from its first look to its end."""
        if self.job.state in JOB_TERMINAL:
            self._store.release(self.taken.fence, uncount=True)
            return
        yield from self._point("taken")
        if self.taken.attempts > ATTEMPTS:
            yield from self._commit(_poisoned(self.taken.attempts))
            return
        for _ in range(STEPS_PER_TICK):
            if self._timeline.now_ms - self._began_ms > TICK_MS:
                break
            try:
                if (yield from self._step()):
                    return
            except JobChanged:
                self._reload()
            except DatesHeld:
                yield from self._wait_in_line()
                return
        else:
            raise AssertionError(f"a tick took {STEPS_PER_TICK} steps")
        yield from self._go_on_later()

    def _wait_in_line(self) -> Pauses:
        now, deadline = self._timeline.now_ms, self.job.deadline_time.ToMilliseconds()
        try:
            yield from self._commit((), wake_ms=max(now, min(now + LINE_MS, deadline)))
        except JobChanged:
            self._reload()
            yield from self._go_on_later()

    def _go_on_later(self) -> Pauses:
        try:
            yield from self._commit((), wake_ms=self._timeline.now_ms)
        except JobChanged:
            self._reload()
            yield from self._commit((), wake_ms=self._timeline.now_ms)

    def _step(self) -> Generator[int, None, bool]:
        view = self._view()
        step = plan(view)
        self._witness.planned(view, step)
        if isinstance(step, Act):
            over = not (yield from self._act(step))
            return over or self.job.state in JOB_TERMINAL
        if isinstance(step, Wait):
            yield from self._commit((), wake_ms=step.until_ms)
        return True

    def _view(self) -> View:
        return View(
            self.job,
            self.hints,
            self._timeline.now_ms,
            self._chance.fraction(),
            self._policy,
            release=self._store.known,
        )

    def _act(self, act: Act) -> Generator[int, None, bool]:
        if act.call is not None and not (yield from self._admitted(act.call)):
            return False
        if act.needs_commit:
            yield from self._commit(act.drafts)
        if act.call is None:
            return True
        decided_on = self._confirmed if act.needs_commit else self._store.record.job
        yield from self._point("intended")
        if type(act.call) in WRITES and self._timeline.now_ms >= self._lease_ends_ms:
            raise LeaseLost
        self._witness.calling(decided_on, act.call)
        sent_ms = self._store.record_stop(stop_records.stopped_ids(act.call), self.job.name)
        outcome = self._with_stops(act.call, (yield from self._call(act.call)))
        yield from self._point("answered")
        self._store.stop_answered(stop_records.answers(act.call, outcome), self.job.name, sent_ms)
        yield from self._absorb(act, outcome)
        return True

    def _with_stops(self, call: Call, outcome: Outcome) -> Outcome:
        instance_id = stop_records.recorded_for(call, outcome)
        if instance_id is None or isinstance(outcome, Failure):
            return outcome
        return replace(outcome, stops=self._store.stops(instance_id))

    def _admitted(self, call: Call) -> Generator[int, None, bool]:
        now = self._timeline.now_ms
        at_ms = self.hints.slot_at_ms or now + self._chance.slot_wait_ms(call, now)
        if at_ms - now > SLOT_NEAR_MS:
            self.hints = self.hints.slot("any", at_ms)
            yield from self._commit((), wake_ms=at_ms)
            return False
        if at_ms > now:
            self._witness.waiting(at_ms - now)
            yield from self._alive(at_ms - now)
        self.hints = self.hints.slot("", 0)
        return True

    def _call(self, call: Call) -> Generator[int, None, Outcome]:
        waiting = self._line.call(call)
        self.unheard += 1
        try:
            while True:
                pause_ms = next(waiting)
                yield from self._alive(pause_ms)
        except StopIteration as end:
            outcome: Outcome = end.value
        self.unheard -= 1
        self._count(call, outcome)
        return outcome

    def _alive(self, pause_ms: int) -> Pauses:
        """Wait with the lease renewed beside it."""
        if not self._store.renew(self.taken.fence, pause_ms):
            raise LeaseLost
        yield pause_ms
        self._lease_ends_ms = max(self._lease_ends_ms, self._timeline.now_ms + LEASE_MS * 2 // 3)

    def _count(self, call: Call, outcome: Outcome) -> None:
        throttled = isinstance(outcome, Failure) and outcome.kind in (FailureKind.THROTTLED, FailureKind.FROZEN)
        write = type(call) in WRITES
        usage = self.usage
        self.usage = Usage(usage.reads + (not write), usage.writes + write, usage.throttled + throttled)

    def _absorb(self, act: Act, outcome: Outcome) -> Pauses:
        for _ in range(20):
            if self.job.state in JOB_TERMINAL:
                return
            view = self._view()
            try:
                yield from self._take(absorb(view, act, outcome))
                self._store.learn(child_release.evidence(view, act, outcome))
                return
            except JobChanged:
                self._reload()
        raise LeaseLost

    def _take(self, change: Change) -> Pauses:
        before, self.hints = self.hints, change.hints
        if not change.drafts:
            return
        try:
            yield from self._commit(change.drafts)
        except JobChanged:
            self.hints = before
            raise

    def _commit(self, drafts: tuple[pb.JobEvent, ...], *, wake_ms: int | None = None) -> Pauses:
        now = self._timeline.now_ms
        job, events = apply(self.job, drafts, now_ms=now)
        over = wake_ms is not None or job.state in JOB_TERMINAL
        change = Commit(
            before=self.job.state,
            job=job,
            expected_revision=self.job.revision,
            events=tuple(event.SerializeToString(deterministic=True) for event in events),
            fence=self.taken.fence,
            hints=encode_hints(self.hints),
            wake=None if wake_ms is None else Wake(_ENTRY, max(0, wake_ms - now)),
            usage=self.usage,
            lease_ms=0 if over else LEASE_MS,
            hold=hold_at(self.job, job),
        )
        yield from self._point("committing")
        answer = self._store.commit(change)
        if isinstance(answer, Committed):
            self.job, self._confirmed, self.usage = job, job, Usage()
            self._lease_ends_ms = max(self._lease_ends_ms, self._timeline.now_ms + LEASE_MS)
        yield from self._point("committed")
        if isinstance(answer, Stale):
            raise JobChanged
        if isinstance(answer, Overlapping):
            raise DatesHeld
        if not isinstance(answer, Committed):
            raise LeaseLost

    def _reload(self) -> None:
        self.job = self._store.record.job

    def _point(self, name: str) -> Pauses:
        blow = self._chance.blow(self._timeline.now_ms, name)
        if blow is Blow.DEATH:
            raise Died
        if blow is Blow.FREEZE:
            yield self._chance.pick((50, 2_000, 7_000, 60_000))


_ENTRY = queue_entries.tick("simulated", nonce="0", now_ms=0)


def _poisoned(attempts: int) -> tuple[pb.JobEvent, ...]:
    said = f"looking at the job ended its worker {attempts - 1} times in a row"
    error = errors.status(Reason.JOB_POISONED, said)
    state = pb.JOB_STATE_FAILED
    return (pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said),)
