"""One history: a random job, workers, callers, operators, a cloud and faults, all from one seed."""

from __future__ import annotations

from dataclasses import dataclass

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.process.child_release import UNKNOWN
from headgate.store import queue_entries
from headgate.store.commit import Commit, Wake
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.view import Policy
from tests.simulator.callers import Callers
from tests.simulator.chance import Chance
from tests.simulator.checks import Broken, Checks
from tests.simulator.jobs import wish
from tests.simulator.line import Line
from tests.simulator.rules import draw_rules, remembered
from tests.simulator.store import ModelStore
from tests.simulator.timeline import Timeline
from tests.simulator.upstream import ModelUpstream
from tests.simulator.worker import Ticks

BEGIN_MS = 1_739_019_600_000
"""The afternoon of seed 000, 2025-02-08."""

POLICY = Policy(poll_min_ms=2_000, poll_max_ms=30_000, digest_ms=8_000, dry_run_ms=4_000)
"""Half as many reads as in production, for twice as many histories."""

MOST_STEPS = 60_000
AFTERMATH_MS = 300_000


@dataclass(frozen=True, slots=True)
class Result:
    """How a history went."""

    seed: int
    kind: str
    state: str
    steps: int
    ticks: int
    calls: int
    events: int
    problem: str = ""
    trace: tuple[str, ...] = ()


class History:
    """Everything that takes part in one history."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        self.seed = seed
        self.chance = Chance(seed)
        self.timeline = Timeline(BEGIN_MS)
        self.chance.quiet_after_ms = BEGIN_MS + self.chance.profile.lasts_ms
        self.upstream = ModelUpstream(self.timeline, self.chance, draw_rules(self.chance))
        self.wish = wish(self.chance, self.upstream, BEGIN_MS)
        self.checks = Checks(self.timeline, self.upstream, self.wish.kind)
        self.checks.trace = [] if trace else None
        self.checks.faults = self.chance.faults
        self.upstream.witness = self.checks.began
        self.store = ModelStore(self.timeline, self._ring, self.checks.committed)
        self.store.known = remembered(self.chance)
        self.checks.learnt = len(set(self.upstream.rules.auto_start)) == 1 and self.store.known == UNKNOWN
        self.checks.held_until_ms = self.store.held_until_ms = self._held_until_ms()
        line = Line(self.timeline, self.chance, self.upstream)
        self.ticks = Ticks(self.timeline, self.chance, self.store, line, self.checks, POLICY)
        self.callers = Callers(self.timeline, self.chance, self.store, self.upstream)
        self.checks.on_call, self.checks.on_wait = self.callers.called, self.callers.waited
        self.steps = 0
        self.rested = self.wish.job

    def _held_until_ms(self) -> int:
        """Until when others have the dates of a backfill that waits for them; now and then for ever."""
        if self.wish.job.backfill.overlap != pb.OVERLAP_QUEUE_AFTER:
            return 0
        return BEGIN_MS + self.chance.pick((0, 5_000, 200_000, 10_000_000))

    def _ring(self) -> None:
        self.ticks.ring()

    def run(self) -> Result:
        """Live through it."""
        problem = ""
        try:
            self._submit()
            self.callers.arrive()
            self._live()
            self._check_usage()
            self.checks.at_rest(self.rested)
            self.checks.at_end(self.store.record.job, self.store.record.log)
        except Exception as error:
            if self.checks.trace is not None and not isinstance(error, Broken):
                raise
            problem = f"{type(error).__name__}: {error}"
        return self._result(problem)

    def _submit(self) -> None:
        job = self.wish.job
        event = pb.JobEvent(
            revision=1,
            type=pb.EVENT_TYPE_ACCEPTED,
            state=pb.JOB_STATE_QUEUED,
            job=job,
            event_time=timestamp(BEGIN_MS),
        )
        job = event_log.fold(None, event)
        raw = event.SerializeToString(deterministic=True)
        wake = Wake(queue_entries.tick("simulated", nonce="2", now_ms=0))
        self.store.commit(Commit(pb.JOB_STATE_UNSPECIFIED, job, 0, (raw,), wake=wake))

    def _live(self) -> None:
        """Until nothing can happen to the job any more, and a while after that."""
        end_ms = self.wish.job.deadline_time.ToMilliseconds() + 2 * 86_400_000
        while not self._at_rest() and self.timeline.step(end_ms):
            self._count()
        self.rested = self.store.record.job
        self.checks.say(f"at rest: {pb.JobState.Name(self.store.record.job.state)}")
        end_ms = self.timeline.now_ms + AFTERMATH_MS
        while self.timeline.step(end_ms):
            self._count()

    def _at_rest(self) -> bool:
        state = self.store.record.job.state
        if state in JOB_TERMINAL:
            return True
        return state == pb.JOB_STATE_NEEDS_ATTENTION and self.timeline.now_ms > self.chance.quiet_after_ms + 510_000

    def _count(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Broken(f"more than {MOST_STEPS} steps")

    def _check_usage(self) -> None:
        record = self.store.record
        billed = record.reads + record.writes + self.ticks.unbilled
        if record.job.state in JOB_TERMINAL and billed != self.upstream.calls:
            raise Broken(f"{billed} calls on the bill, {self.upstream.calls} made")

    def _result(self, problem: str) -> Result:
        record = self.store.record
        return Result(
            self.seed,
            self.wish.kind,
            pb.JobState.Name(record.job.state).removeprefix("JOB_STATE_"),
            self.steps,
            self.ticks.count,
            self.upstream.calls,
            len(record.log),
            problem,
            tuple(self.checks.trace or ()),
        )


def live(seed: int, *, trace: bool = False) -> Result:
    """Run the history of a seed."""
    return History(seed, trace=trace).run()
