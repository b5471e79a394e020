"""A backfill in virtual time without chance: the real decisions, a model of the cloud, and a ledger of what was asked.

The parts are the simulator's. What is fixed here is what an acceptance test wants to say itself: durations, which end
of a parent starts its child, what is lost on the way and where the worker dies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import queue_entries
from headgate.store.commit import Commit, Wake
from headgate_worker.core.model.calls import WRITES, Call, GetInstance, ListInstances, StartInstances
from headgate_worker.core.model.steps import Act, Rest, Wait, timestamp
from headgate_worker.core.model.view import Policy, View
from tests.simulator.callers import Callers
from tests.simulator.chance import Blow, Chance, Fate, Profile
from tests.simulator.line import Line
from tests.simulator.rules import Rules
from tests.simulator.store import ModelStore
from tests.simulator.timeline import Timeline
from tests.simulator.upstream import FAILURE, FOREIGN_USER, RUNNING, Instance, ModelUpstream
from tests.simulator.worker import Ticks

BEGIN_MS = 1_739_019_600_000
FIRST = date(2025, 2, 1)
LATENCY_MS = 50
MOST_STEPS = 200_000
_BLOCKED = "Because of parallelism config, wait for parent workflowInstance[{0}] to finish"

USUAL = Rules(
    auto_start=("success_only",),
    starts_unnamed=False,
    auto_start_delay_ms=0,
    release="any_end",
    stop_not_run_fails=False,
    fail_rate=0.0,
    run_ms=(600_000, 600_000),
    create_ms=800,
    create_fails=0.0,
    lag_ms=0,
    stop_ms=0,
    stop_sticks=0.0,
    words=_BLOCKED,
    batches=False,
)
"""A cloud that behaves as in the public transcripts."""


class Fixed(Chance):
    """Chance that leaves nothing to chance.

    Args:
        fates: what becomes of the n-th call of a type, from 1; the others are fine.
        deaths: (point, n): the worker dies when it comes to that point for the n-th time.
    """

    def __init__(
        self,
        seed: int = 0,
        fates: dict[tuple[type, int], Fate] | None = None,
        deaths: set[tuple[str, int]] | None = None,
    ) -> None:
        super().__init__(seed)
        self.profile = Profile(lasts_ms=0)
        self.late_ms = 20_000
        self.lag_ms: int | None = None
        self._fates, self._deaths = fates or {}, deaths or set()
        self._calls: dict[type, int] = {}
        self._points: dict[str, int] = {}

    def fate(self, call: Call, now_ms: int) -> Fate:
        """As it was said."""
        count = self._calls[type(call)] = self._calls.get(type(call), 0) + 1
        return self._fates.get((type(call), count), Fate.FINE)

    def blow(self, now_ms: int, point: str) -> Blow:
        """As it was said."""
        count = self._points[point] = self._points.get(point, 0) + 1
        return Blow.DEATH if (point, count) in self._deaths else Blow.NONE

    def between(self, low: int, high: int) -> int:
        """The most, where it matters: the longest lag, the latest arrival."""
        return high

    def pick(self, choices):  # type: ignore[no-untyped-def]  # the base class' own shape
        """The last one: a late arrival is as late as `late_ms`."""
        return self.late_ms if tuple(choices) == (20_000, 400_000) else super().pick(choices)

    def latency_ms(self, call: Call) -> int:
        """The same for every call."""
        return LATENCY_MS


class Cloud(ModelUpstream):
    """The model, with durations and failures by date."""

    durations: Callable[[date | None], int] | None = None
    fails: frozenset[date] = frozenset()
    sticks: frozenset[int] = frozenset()

    def _settle(self, one: Instance, number: int) -> None:
        if one.id not in self.sticks:
            super()._settle(one, number)

    def _end_run(self, one: Instance, number: int) -> None:
        if one.day in self.fails and one.run_number == number and one.status == RUNNING:
            self._finish(one, FAILURE)
        super()._end_run(one, number)

    def end(self, one: Instance, status: pb.WorkflowInstanceStatus.ValueType) -> None:
        """Set what runs to an end, as an operator may."""
        self._finish(one, status)

    def run_ms(self, one: Instance) -> int:
        """How long the run that begins now will take."""
        return self.durations(one.day) if self.durations else super().run_ms(one)


@dataclass(slots=True)
class Ledger:
    """Who asked for what, and when things were known: what an acceptance test looks at."""

    calls: list[tuple[int, Call]] = field(default_factory=list)
    seen_running_ms: dict[int, int] = field(default_factory=dict)
    seen_ended_ms: dict[int, int] = field(default_factory=dict)
    began_ms: dict[int, list[int]] = field(default_factory=dict)

    @property
    def reads(self) -> int:
        """Reads of any kind."""
        return sum(type(call) not in WRITES for _, call in self.calls)

    def reads_of(self, instance_id: int, since_ms: int, until_ms: int) -> int:
        """Reads of an instance between two times, both excluded; a list of its date that it may show is one too."""
        return sum(_reads(call, instance_id) and since_ms < at < until_ms for at, call in self.calls)

    def starts_of(self, instance_id: int) -> int:
        """Starts that named an instance."""
        return sum(isinstance(call, StartInstances) and instance_id in call.ids for _, call in self.calls)

    def planned(self, view: View, act: Act | Wait | Rest) -> None:
        """A step was decided."""

    def committed(self, now_ms: int, event: pb.JobEvent) -> None:
        """An event was committed."""
        for run in event.runs:
            one = run.workflow_instance_id
            if run.HasField("started_time"):
                self.seen_running_ms.setdefault(one, now_ms)
            if run.HasField("finished_time"):
                self.seen_ended_ms.setdefault(one, now_ms)


def _reads(call: Call, instance_id: int) -> bool:
    if isinstance(call, ListInstances):
        return not call.ids or instance_id in call.ids
    return isinstance(call, GetInstance) and call.id == instance_id


def days(count: int) -> list[date]:
    """So many dates in a row."""
    return [FIRST + timedelta(days=n) for n in range(count)]


def backfill(count: int, *, parallelism: int = 1, **fields: object) -> pb.BackfillSpec:
    """A backfill of so many dates."""
    spec = pb.BackfillSpec(
        project_id=1,
        name="nightly",
        biz_dates=dates.to_ranges(days(count)),
        default_run_properties=pb.DefaultRunProperties(parallelism=parallelism, root_task_ids=[7]),
    )
    order = fields.pop("order", None)
    if order is not None:
        spec.default_run_properties.order = order  # type: ignore[assignment]
    spec.MergeFrom(pb.BackfillSpec(**fields))  # type: ignore[arg-type]
    return spec


class World:
    """One backfill, one worker that dies and comes back, one cloud."""

    def __init__(
        self,
        spec: pb.BackfillSpec,
        *,
        rules: Rules = USUAL,
        policy: Policy | None = None,
        chance: Fixed | None = None,
        deadline_ms: int = 30 * 86_400_000,
    ) -> None:
        self.chance = chance or Fixed()
        self.timeline = Timeline(BEGIN_MS)
        self.chance.quiet_after_ms = 2**62
        self.cloud = Cloud(self.timeline, self.chance, rules)
        self.cloud.witness = self._began
        self.ledger = Ledger()
        self.store = ModelStore(self.timeline, self._ring, self._committed)
        line = Line(self.timeline, self.chance, self.cloud)
        self.ticks = Ticks(self.timeline, self.chance, self.store, line, self, policy or Policy())
        self._submit(spec, deadline_ms)

    @property
    def job(self) -> pb.Job:
        """The job as it stands."""
        return self.store.record.job

    def planned(self, view: View, act: Act | Wait | Rest) -> None:
        """A step was decided."""

    def calling(self, job: pb.Job, call: Call) -> None:
        """A call is about to be sent."""
        self.ledger.calls.append((self.timeline.now_ms, call))

    def waiting(self, wait_ms: int) -> None:
        """A decided call waits for its slot of the quota."""

    def _ring(self) -> None:
        self.ticks.ring()

    def _began(self, one: Instance) -> None:
        self.ledger.began_ms.setdefault(one.id, []).append(self.timeline.now_ms)

    def _committed(self, before: pb.Job, after: pb.Job, events: tuple[bytes, ...]) -> None:
        for raw in events:
            self.ledger.committed(self.timeline.now_ms, pb.JobEvent.FromString(raw))

    def _submit(self, spec: pb.BackfillSpec, deadline_ms: int) -> None:
        job = pb.Job(name="jobs/t", uid="uid-of-t", until=pb.UNTIL_FINISHED, backfill=spec)
        job.deadline_time.CopyFrom(timestamp(BEGIN_MS + deadline_ms))
        for index, day in enumerate(dates.chosen(spec)):
            planned = pb.RUN_STATE_PLANNED
            job.runs.add(index=index, attempt=1, operation_index=-1, biz_date=dates.to_message(day), state=planned)
        event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)
        event.event_time.CopyFrom(timestamp(BEGIN_MS))
        raw = event.SerializeToString(deterministic=True)
        wake = Wake(queue_entries.tick("t", nonce="0", now_ms=0))
        self.store.commit(Commit(pb.JOB_STATE_UNSPECIFIED, event_log.fold(None, event), 0, (raw,), wake=wake))

    def run(self, until: Callable[[World], bool] | None = None) -> World:
        """Let time pass until the job has ended or asks a person, or until something else holds."""
        for _ in range(MOST_STEPS):
            if until(self) if until else self._at_rest():
                return self
            if not self.timeline.step(BEGIN_MS + 60 * 86_400_000):
                raise AssertionError(f"nothing happens any more: {pb.JobState.Name(self.job.state)}")
        raise AssertionError(f"more than {MOST_STEPS} steps")

    def cancel(self, mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_STOP) -> None:
        """Ask for the end of the job, as a caller does."""
        Callers(self.timeline, self.chance, self.store, self.cloud).cancel(mode)

    def stop_as(self, job: str, one: Instance, *, is_answered: bool = True) -> None:
        """Have another job stop an instance: its stop is on record before it is sent, as a worker does it."""
        sent_ms = self.store.record_stop([one.id], job)
        answer = self.cloud.stop(one.id, by=job)
        if is_answered:
            self.store.stop_answered({one.id: answer.success}, job, sent_ms)

    def stop_in_console(self, one: Instance, *, shows_user: bool) -> None:
        """Have a person stop an instance; with `shows_user` upstream shows who."""
        one.touched = True
        if shows_user:
            one.modify_user = FOREIGN_USER
        self.cloud.halt(one)

    def pass_ms(self, duration_ms: int) -> None:
        """Let a time pass, whatever happens in it."""
        end_ms = self.timeline.now_ms + duration_ms
        while self.timeline.step(end_ms):
            pass

    def _at_rest(self) -> bool:
        return self.job.state in JOB_TERMINAL or self.job.state == pb.JOB_STATE_NEEDS_ATTENTION

    def run_to(self, at_ms: int) -> World:
        """Let time pass until so many ms after the submit."""
        self.pass_ms(BEGIN_MS + at_ms - self.timeline.now_ms)
        self.timeline.now_ms = BEGIN_MS + at_ms
        return self

    def instance(self, number: int) -> Instance:
        """The instance of the n-th date, from 0, that was made last."""
        return [one for one in self.cloud.instances.values() if one.day == FIRST + timedelta(days=number)][-1]

    def made(self) -> list[Instance]:
        """Every instance, in the order of their dates."""
        return sorted(self.cloud.instances.values(), key=lambda one: (one.day or date.min, one.id))

    def sets(self) -> int:
        """Sets of instances upstream: the most that any date has."""
        made = [one.day for one in self.cloud.instances.values()]
        return max((made.count(day) for day in made), default=0)


def rules(**fields: object) -> Rules:
    """The usual cloud, but for these."""
    return replace(USUAL, **fields)  # type: ignore[arg-type]
