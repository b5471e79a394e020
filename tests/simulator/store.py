"""The store as a model: one job, with the semantics of the scripts in headgate.store.commit, and a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.process.child_release import UNKNOWN, ReleaseEvidence
from headgate.store.commit import GRACE_MS, Commit, CommitOutcome, Committed, Fenced, Stale, Usage
from headgate.store.date_claims import Overlapping
from headgate_worker.core.model.calls import StopRecord
from tests.simulator.timeline import Timeline

LEASE_MS = 6_000

_NEVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class Taken:
    """A job taken for one tick."""

    job: pb.Job
    fence: int
    attempts: int
    hints: bytes


@dataclass(slots=True)
class Record:
    """What the store holds of the job."""

    job: pb.Job
    log: list[bytes] = field(default_factory=list)
    fence: int = 0
    lease_ends_ms: int = 0
    attempts: int = 0
    ring: bool = False
    wake: int = 0
    wake_at_ms: int | None = None
    hints: bytes = b""
    due_ms: int | None = None
    reads: int = 0
    writes: int = 0
    throttled: int = 0


Watcher = Callable[[pb.Job, pb.Job, tuple[bytes, ...]], None]
"""Told of every commit: the job before and after, and the new events."""


class ModelStore:
    """One job in a store.

    Args:
        ring: called when a tick of the job is due.
        watcher: called after every commit that brought events.

    Others have the dates of the job until `held_until_ms`, without a wakeup at its end: for a job in line only.
    """

    def __init__(self, timeline: Timeline, ring: Callable[[], None], watcher: Watcher) -> None:
        self._timeline = timeline
        self._ring = ring
        self._watcher = watcher
        self._reaps_at_ms = _NEVER_MS
        self._is_put_back = False
        self.record = Record(pb.Job())
        self._stops: dict[int | str, list[StopRecord]] = {}
        self.held_until_ms = 0
        self.known = UNKNOWN
        self.written = 0

    def begin(self) -> Taken | None:
        """BEGIN_SCRIPT; None when the job is busy, and then it is rung for by its owner, and at the lease's end."""
        record, now = self.record, self._timeline.now_ms
        if record.lease_ends_ms > now:
            record.ring = True
            self._put_back(record.lease_ends_ms)
            return None
        record.fence += 1
        record.attempts += 1
        record.lease_ends_ms = now + LEASE_MS
        record.ring = False
        if record.due_ms is not None:
            self._set_due(now + LEASE_MS + GRACE_MS)
        return Taken(record.job, record.fence, record.attempts, record.hints)

    def renew(self, fence: int, for_ms: int) -> bool:
        """RENEW_SCRIPT, again and again for a while: the lease then ends LEASE_MS after it."""
        record, now = self.record, self._timeline.now_ms
        if record.fence != fence:
            return False
        record.lease_ends_ms = now + for_ms + LEASE_MS
        if record.due_ms is not None:
            self._set_due(record.lease_ends_ms + GRACE_MS)
        return True

    def release(self, fence: int, *, uncount: bool) -> None:
        """RELEASE_SCRIPT."""
        record = self.record
        if record.fence == fence:
            record.lease_ends_ms = 0
            record.attempts -= uncount and record.attempts > 0

    def cut_lease(self, fence: int) -> None:
        """A worker has died: the lease is not renewed any more, and ends LEASE_MS after its last renewal."""
        record = self.record
        if record.fence == fence:
            record.lease_ends_ms = min(record.lease_ends_ms, self._timeline.now_ms + LEASE_MS)

    def learn(self, evidence: ReleaseEvidence | None) -> None:
        """Remember what was seen of how upstream begins children; written only when that says something new."""
        if evidence is not None and (known := self.known.learn(evidence)) != self.known:
            self.known, self.written = known, self.written + 1

    def record_stop(self, ids: Iterable[int | str], job: str) -> int:
        """Note a stop that is about to be sent beside its instances; when that was."""
        sent_ms = self._timeline.now_ms
        for one in ids:
            self._stops.setdefault(one, []).append(StopRecord(job, sent_ms))
        return sent_ms

    def stop_answered(self, answers: Mapping[int | str, bool], job: str, sent_ms: int) -> None:
        """Note what upstream has said to a stop; forget it where it was refused."""
        for one, accepted in answers.items():
            others = [stop for stop in self._stops[one] if (stop.job, stop.sent_ms) != (job, sent_ms)]
            self._stops[one] = [*others, *([StopRecord(job, sent_ms, accepted)] * accepted)]

    def stops(self, instance_id: int | str) -> tuple[StopRecord, ...]:
        """The stops on record for an instance."""
        return tuple(self._stops.get(instance_id, ()))

    def commit(self, change: Commit) -> CommitOutcome:
        """SCRIPT."""
        record, now = self.record, self._timeline.now_ms
        if len(record.log) != change.expected_revision:
            return Stale(len(record.log))
        if change.fence is not None and record.fence != change.fence:
            return Fenced()
        if change.hold and change.job.state not in JOB_TERMINAL and now < self.held_until_ms:
            return Overlapping(dict.fromkeys(change.hold.days, "another"))
        before = record.job
        if change.events:
            record.job = change.job
        record.log.extend(change.events)
        record.attempts = 0
        if change.hints is not None:
            record.hints = change.hints
        self._add(change.usage)
        self._schedule(change)
        if change.events:
            self._watcher(before, record.job, change.events)
        return Committed(len(record.log), now)

    def _add(self, usage: Usage) -> None:
        self.record.reads += usage.reads
        self.record.writes += usage.writes
        self.record.throttled += usage.throttled

    def _schedule(self, change: Commit) -> None:
        record, now = self.record, self._timeline.now_ms
        delay = change.wake.delay_ms if change.wake else 0
        if change.lease_ms is not None:
            if change.wake and record.ring:
                record.ring, delay = False, 0
            record.lease_ends_ms = now + change.lease_ms if change.lease_ms else 0
        if change.wake or change.job.state in JOB_TERMINAL:
            record.wake, record.wake_at_ms = record.wake + 1, None  # the tick that was to come is taken off the queue
        if change.job.state in JOB_TERMINAL:
            record.due_ms = None
            return
        self._set_due(now + (delay if change.wake else change.lease_ms or 0) + GRACE_MS)
        if change.wake:
            number, record.wake_at_ms = record.wake, now + delay
            self._timeline.after(delay, lambda: self._ring_if(number))

    def _put_back(self, at_ms: int) -> None:
        """Entries that found the job busy come again when its lease ends; they are few, and here they are one."""
        if not self._is_put_back:
            self._is_put_back = True
            self._timeline.at(at_ms, self._come_again)

    def _come_again(self) -> None:
        self._is_put_back = False
        self._ring()

    def _ring_if(self, number: int) -> None:
        if self.record.wake == number:
            self.record.wake_at_ms = None
            self._ring()

    def _set_due(self, due_ms: int) -> None:
        self.record.due_ms = due_ms
        if due_ms < self._reaps_at_ms:
            self._reaps_at_ms = due_ms
            self._timeline.at(due_ms, lambda: self._reap(due_ms))

    def _reap(self, at_ms: int) -> None:
        """REAP_SCRIPT, by a reaper that looks whenever something is due."""
        if at_ms != self._reaps_at_ms:
            return
        self._reaps_at_ms = _NEVER_MS
        due = self.record.due_ms
        if due is None:
            return
        late = due <= self._timeline.now_ms
        self._set_due(self._timeline.now_ms + GRACE_MS if late else due)
        if late:
            self._ring()
