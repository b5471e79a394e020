"""Simulate a backfill: the rules that will run it, against a cloud that never errs, in no time.

A formula beside the rules would soon be wrong. A few dates are simulated; what more dates or longer ones add is in
proportion. Assumed are equal durations, no failure, no wait for quota, and that upstream starts a child when its
parent ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_worker.core.facts.create_windows import all_ranges
from headgate_worker.core.model.calls import (
    WRITES,
    Call,
    CreateInstances,
    GetCreateResult,
    GetInstance,
    ListTasks,
    OperationResult,
    OperationStatus,
    PerInstance,
    Reply,
    StartInstances,
    TaskPage,
)
from headgate_worker.core.model.steps import Act, Wait, apply, timestamp
from headgate_worker.core.model.view import Hints, Policy, View
from headgate_worker.core.planner import absorb, plan

UNKNOWN_RUN_MS: Final = 600_000
"""How long a date is assumed to run when nothing is known of it: 10 minutes."""

MOST_READS: Final = 240
"""Reads of a first date that are simulated; what runs longer is read in proportion."""

MOST_STEPS: Final = 20_000
"""Steps of one simulation; a net below the net."""

_BEGIN_MS: Final = 1_735_660_800_000
_FIRST: Final = date(2024, 12, 31)
_CALL_MS: Final = 60
_CREATE_MS: Final = 2_000
_LEAST_DATES: Final = 6


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a backfill is expected to take.

    Args:
        reads: read calls.
        writes: write calls.
        makespan_ms: from the first call to the last date's end.
    """

    reads: int = 0
    writes: int = 0
    makespan_ms: int = 0


def forecast(spec: pb.BackfillSpec, days: Sequence[date], run_ms: int, policy: Policy) -> Forecast | None:
    """What creating and running these dates takes, the survey left out; None when the simulation comes to no end.

    Args:
        spec: the backfill.
        days: the dates that are to be created, oldest first.
        run_ms: how long one of them runs.
        policy: the numbers of the workers.
    """
    if not days:
        return Forecast()
    longest_ms = MOST_READS * policy.poll_max_ms
    taken = _of_dates(spec, len(days), min(run_ms, longest_ms), policy)
    if taken is not None and run_ms > longest_ms:
        half = _of_dates(spec, len(days), longest_ms // 2, policy)
        taken = half and taken.and_more(half, (run_ms - longest_ms) / (longest_ms - longest_ms // 2))
    return taken.with_calls(len(all_ranges(spec, days)) - 1) if taken else None


def _of_dates(spec: pb.BackfillSpec, count: int, run_ms: int, policy: Policy) -> _CallCounts | None:
    part = -(-_LEAST_DATES // _width(spec)) * _width(spec)
    simulated = _SimulatedRun(spec, min(count, 2 * part), run_ms, policy)
    if count <= 2 * part:
        return simulated.run(0)
    whole = simulated.run(part)
    return whole and whole.and_more(simulated.first, (count - 2 * part) / part)


def _width(spec: pb.BackfillSpec) -> int:
    return max(1, spec.default_run_properties.parallelism)


@dataclass(slots=True)
class _CallCounts:
    reads: int = 0
    writes: int = 0
    confirming: int = 0
    starting: int = 0
    makespan_ms: int = 0

    def count(self, call: Call) -> None:
        self.writes += type(call) in WRITES
        self.reads += type(call) not in WRITES
        self.confirming += isinstance(call, GetCreateResult)
        self.starting += isinstance(call, StartInstances)

    def and_more(self, part: _CallCounts, times: float) -> _CallCounts:
        """This, and so many times what it has more than `part`."""
        return _CallCounts(
            round(self.reads + times * (self.reads - part.reads)),
            round(self.writes + times * (self.writes - part.writes)),
            self.confirming,
            self.starting,
            round(self.makespan_ms + times * (self.makespan_ms - part.makespan_ms)),
        )

    def with_calls(self, more: int) -> Forecast:
        """With so many more creates, each confirmed and started like the one that was simulated."""
        return Forecast(
            self.reads + more * self.confirming,
            self.writes + more * (1 + self.starting),
            self.makespan_ms,
        )


class _SimulatedRun:
    """One create of so many dates, run to its end."""

    def __init__(self, spec: pb.BackfillSpec, count: int, run_ms: int, policy: Policy) -> None:
        self._job = _job(spec, count)
        self._hints = Hints()
        self._now_ms = _BEGIN_MS
        self._policy = policy
        self._cloud = _Cloud(run_ms, _width(spec))
        self._counts = _CallCounts()
        self.first = _CallCounts()

    def run(self, part: int) -> _CallCounts | None:
        """What it takes, and in `first` what the first `part` dates take; None when it has too many steps."""
        for _ in range(MOST_STEPS):
            step = plan(View(self._job, self._hints, self._now_ms, policy=self._policy))
            if isinstance(step, Act):
                self._act(step)
                if self._job.state in JOB_TERMINAL:
                    return self._at_end()
                if part and self._job.counts.succeeded == part and not self.first.reads:
                    self.first = self._of_first(len(self._job.runs) - part)
            elif isinstance(step, Wait):
                self._now_ms = step.until_ms
        return None

    def _act(self, act: Act) -> None:
        self._job, _ = apply(self._job, act.drafts, now_ms=self._now_ms)
        if act.call is None:
            return
        self._counts.count(act.call)
        self._now_ms += _CALL_MS
        answer = Reply(self._cloud.answer(act.call, self._now_ms), "", _CALL_MS / 1000)
        change = absorb(View(self._job, self._hints, self._now_ms, policy=self._policy), act, answer)
        self._job, _ = apply(self._job, change.drafts, now_ms=self._now_ms)
        self._hints = change.hints

    def _at_end(self) -> _CallCounts | None:
        succeeded = self._job.state == pb.JOB_STATE_SUCCEEDED
        return replace(self._counts, makespan_ms=self._now_ms - _BEGIN_MS) if succeeded else None

    def _of_first(self, others: int) -> _CallCounts:
        """As if the others had not been created: each was read once to learn its date."""
        return replace(self._counts, reads=self._counts.reads - others, makespan_ms=self._now_ms - _BEGIN_MS)


def _job(spec: pb.BackfillSpec, count: int) -> pb.Job:
    days = [_FIRST + timedelta(days=n) for n in range(count)]
    properties = spec.default_run_properties
    bare = pb.BackfillSpec(
        project_id=1,
        name="forecast",
        default_run_properties=pb.DefaultRunProperties(parallelism=properties.parallelism, order=properties.order),
        start_mode=spec.start_mode,
        max_created_ahead=count,
        adopt_grace=spec.adopt_grace if spec.HasField("adopt_grace") else None,
    )
    runs = [
        pb.InstanceRun(
            index=n, biz_date=dates.to_message(day), state=pb.RUN_STATE_PLANNED, attempt=1, operation_index=-1
        )
        for n, day in enumerate(days)
    ]
    job = pb.Job(name="jobs/forecast", uid="forecast", backfill=bare, runs=runs, state=pb.JOB_STATE_QUEUED)
    job.until = pb.UNTIL_FINISHED
    job.create_time.CopyFrom(timestamp(_BEGIN_MS))
    return job


@dataclass(slots=True)
class _Cloud:
    """Makes one set of instances, and runs them `width` side by side, each for `run_ms`."""

    run_ms: int
    width: int
    ready_ms: int = 0
    begins_ms: list[int] = field(default_factory=list)
    days: list[date] = field(default_factory=list)

    def answer(self, call: Call, now_ms: int) -> object:
        if isinstance(call, CreateInstances):
            return self._create(call, now_ms)
        if isinstance(call, GetCreateResult):
            done = now_ms >= self.ready_ms
            ids = tuple(range(1, len(self.days) + 1)) if done else ()
            return OperationResult(OperationStatus.DONE if done else OperationStatus.PENDING, ids)
        if isinstance(call, StartInstances):
            self._begin(now_ms)
            return {one: self._started(one, now_ms) for one in call.ids}
        if isinstance(call, ListTasks):  # the look for dry runs
            return TaskPage((), 0)
        assert isinstance(call, GetInstance), call  # noqa: S101  # nothing else is asked where nothing goes wrong
        return self._seen(call.id, now_ms)

    def _create(self, call: CreateInstances, now_ms: int) -> str:
        newest = call.spec.default_run_properties.order == pb.BACKFILL_ORDER_DESC
        self.days = sorted(dates.walk(call.spec.periods.biz_dates), reverse=newest)
        self.ready_ms = now_ms + _CREATE_MS
        if call.spec.auto_start_enabled:
            self._begin(self.ready_ms)
        return "operation"

    def _begin(self, at_ms: int) -> None:
        if not self.begins_ms:
            self.begins_ms = [at_ms + n // self.width * self.run_ms for n in range(len(self.days))]

    def _started(self, instance_id: int, now_ms: int) -> PerInstance:
        if self.begins_ms[instance_id - 1] <= now_ms:
            return PerInstance(success=True)
        parent = instance_id - self.width
        return PerInstance(success=False, message=f"wait for parent workflowInstance[{parent}]")

    def _seen(self, instance_id: int, now_ms: int) -> pb.WorkflowInstance:
        seen = pb.WorkflowInstance(id=instance_id, biz_date=dates.to_message(self.days[instance_id - 1]))
        seen.observe_time.FromMilliseconds(now_ms)
        begin_ms = self.begins_ms[instance_id - 1] if self.begins_ms else now_ms + 1
        if now_ms < begin_ms:
            seen.status = pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN
            return seen
        seen.status = pb.WORKFLOW_INSTANCE_STATUS_RUNNING
        seen.started_time.FromMilliseconds(begin_ms)
        if now_ms >= begin_ms + self.run_ms:
            seen.status = pb.WORKFLOW_INSTANCE_STATUS_SUCCESS
            seen.finished_time.FromMilliseconds(begin_ms + self.run_ms)
        return seen
