"""What must hold in every history: after each commit, at each call, and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date

from headgate import pb
from headgate.backfill import dates, marker, reprocess
from headgate.backfill.reprocess import is_left_alone
from headgate.job import event_log, job_update
from headgate.job.lifecycle import JOB_TERMINAL, RUN_FRONTIER
from headgate_worker.core.model.calls import (
    NOT_REPEATABLE,
    Call,
    CreateInstances,
    GetInstance,
    GetTaskLog,
    ListTasks,
    StartInstances,
)
from headgate_worker.core.model.steps import Act, Rest, Wait
from headgate_worker.core.model.view import View
from tests.simulator.timeline import Timeline
from tests.simulator.upstream import RUNNING, SUCCESS, Instance, ModelUpstream

MOST_EVENTS = 60
EVENTS_PER_RUN = 14


LAG_MS = 33_000 + 12_000
"""The longest poll interval with its jitter, and some slow calls."""

_SEEN = frozenset({pb.RUN_STATE_RUNNING, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED})


_STARTERS = {
    pb.STARTED_BY_HEADGATE: "job",
    pb.STARTED_BY_UPSTREAM: "upstream",
    pb.STARTED_BY_OPERATOR: "operator",
}


class Broken(AssertionError):
    """Something that must hold does not."""


class Checks:
    """Watches one history."""

    def __init__(self, timeline: Timeline, upstream: ModelUpstream, kind: str) -> None:
        self._timeline = timeline
        self._upstream = upstream
        self._kind = kind
        self._folded: pb.Job | None = None
        self.faults: list[str] = []
        self.held_until_ms = 0
        self.learnt = True
        self.starts: Counter[int] = Counter()
        self._most_tries = 1
        self._updated: set[str] = set()
        self.trace: list[str] | None = None
        self.on_call: Callable[[], None] = lambda: None
        self.on_wait: Callable[[int], None] = lambda _: None

    def say(self, line: str) -> None:
        """Keep a line of the history, if somebody wants it."""
        if self.trace is not None:
            self.trace.append(f"{self._timeline.now_ms % 100_000_000 / 1000:10.3f} {line}")

    def committed(self, before: pb.Job, after: pb.Job, events: tuple[bytes, ...]) -> None:
        """After a commit: the state is the fold of the log, by steps that the life cycle allows."""
        for raw in events:
            event = pb.JobEvent.FromString(raw)
            self._check_lag(event)
            if event.actor == "worker" and not event.message:
                raise Broken(f"an event without a sentence: {event}")
            self._folded = event_log.fold(self._folded, event)
            self._most_tries = max(self._most_tries, self._folded.backfill.max_attempts_per_date)
            self._updated.update(event.update.update_mask.paths)
            self.say(_told(event))
        self._check_attribution(after)
        if self._folded != after:
            raise Broken("the state is not the fold of the log")
        if before.state not in JOB_TERMINAL and after.state in JOB_TERMINAL:
            self._ended(after)

    def _check_attribution(self, job: pb.Job) -> None:
        """Who started a run, and that this job stopped it, is right or absent."""
        for run in job.runs:
            one = self._upstream.instances.get(run.workflow_instance_id)
            if one is None or one.touched or not one.operation or is_left_alone(run):
                continue
            if self.faults and one.started_by == "job" and run.started_by == pb.STARTED_BY_UPSTREAM:
                continue  # a start that was lost has arrived after the parent's end
            begun = run.state in _SEEN | {pb.RUN_STATE_STOPPED, pb.RUN_STATE_SKIPPED}
            if begun and run.started_by and _STARTERS[run.started_by] != one.started_by:
                raise Broken(f"run {run.index} is told as {run.started_by}, and was started by {one.started_by!r}")
            if run.state == pb.RUN_STATE_FAILED and one.ended_by == "job" and run.upstream_status == "Failure":
                raise Broken(f"run {run.index} is FAILED, and the job has stopped it")
            if run.stopped_by not in (pb.STOPPED_BY_UNSPECIFIED, pb.STOPPED_BY_HEADGATE):
                raise Broken(f"run {run.index} is told to be stopped by others")

    def _check_lag(self, event: pb.JobEvent) -> None:
        """Without faults, what happens upstream is known here within a poll interval and a slow call or two."""
        if self.faults or self._kind != "backfill" or self._upstream.rules.batches or self._upstream.rules.lag_ms:
            return
        for run in event.runs:
            one = self._upstream.instances.get(run.workflow_instance_id)
            if one is None or not one.started_ms or one.touched or run.HasField("stop_time") or run.state not in _SEEN:
                continue
            lag_ms = self._timeline.now_ms - (one.finished_ms or one.started_ms)
            if lag_ms > LAG_MS:
                raise Broken(f"run {run.index} is {lag_ms} ms behind its instance")

    def planned(self, view: View, step: Act | Wait | Rest) -> None:
        """After a decision: no wait that is already over."""
        if isinstance(step, Wait) and step.until_ms <= view.now_ms:
            raise Broken(f"a wait that is over: {view.now_ms - step.until_ms} ms ago")
        if self.trace is not None:
            shown = f"wait {step.until_ms - view.now_ms} ms" if isinstance(step, Wait) else ""
            self.say(f"  plan {shown or _act(step)}")

    def calling(self, job: pb.Job, call: Call) -> None:
        """Before a call is sent; `job` is what the store held when it was decided."""
        if isinstance(call, StartInstances):
            self.starts.update(call.ids)
        self._upstream.calls += 1
        self.on_call()
        if self._timeline.now_ms < self.held_until_ms:
            raise Broken(f"{call} while others have the dates")
        if type(call) in NOT_REPEATABLE | {StartInstances} and job.state != pb.JOB_STATE_RUNNING:
            raise Broken(f"{call} decided while {pb.JobState.Name(job.state)}")
        if isinstance(call, StartInstances | CreateInstances) and self._is_halted(job):
            raise Broken(f"{call} decided after a failure")
        if isinstance(call, GetInstance):
            self._check_read(job, call.id)
        if isinstance(call, ListTasks | GetTaskLog) and job.state in JOB_TERMINAL:
            raise Broken(f"{call} while {pb.JobState.Name(job.state)}")

    def waiting(self, wait_ms: int) -> None:
        """While a call waits for its slot of the quota."""
        self.on_wait(wait_ms)

    def _is_halted(self, job: pb.Job) -> bool:
        bad = (pb.RUN_STATE_FAILED, pb.RUN_STATE_UNRESOLVED)
        return self._halts_all(job) and any(run.state in bad for run in job.runs)

    def _halts_all(self, job: pb.Job) -> bool:
        halt = job.backfill.on_failure in (pb.ON_FAILURE_UNSPECIFIED, pb.ON_FAILURE_HALT)
        return self._kind == "backfill" and halt

    def began(self, one: Instance) -> None:
        """After an instance began to run: no more dates side by side than the caller allowed."""
        job = self._folded
        self.say(f"upstream: {one.id} begins, by {one.started_by}")
        if job is None or self._kind != "backfill" or any(other.touched for other in self.mine()):
            return
        self._check_cancelled(job, one)
        self._check_once(job, one)
        self._check_order(job, one)
        width = max(
            [job.backfill.default_run_properties.parallelism, *(operation.parallelism for operation in job.operations)]
        )
        running = [other.id for other in self.mine() if other.status == RUNNING]
        if len(running) > width:
            raise Broken(f"{len(running)} run side by side, {width} are allowed: {running}")

    def _check_once(self, job: pb.Job, one: Instance) -> None:
        """A date has one run at a time, none after a success, and no more failures than it has tries."""
        others = [other for other in self.mine() if other.day == one.day and other.id != one.id and other.started_ms]
        done = [other.id for other in others if other.status == RUNNING or other.ever_succeeded]
        if done:
            raise Broken(f"{one.id} runs {one.day} beside or after {done}")
        called_back = Counter(run.recalls for run in job.runs if run.recalls)
        most = self._most_tries + sum(called_back.values())
        if len(others) + 1 > most:
            raise Broken(f"{one.id} is run {len(others) + 1} of {one.day}, {most} at most were expected")

    def _check_order(self, job: pb.Job, one: Instance) -> None:
        """Where a failure halts all and dates run one by one, none is begun before one that is known to have failed."""
        properties = job.backfill.default_run_properties
        if self._updated & {job_update.PARALLELISM, "backfill.on_failure"}:
            return  # what was begun by the rules of before goes on
        if not self._halts_all(job) or properties.parallelism != 1 or one.started_by != "job" or one.day is None:
            return
        succeeded = {other.day for other in self.mine() if other.ever_succeeded}
        newest = properties.order == pb.BACKFILL_ORDER_DESC
        known = [run for run in job.runs if run.state == pb.RUN_STATE_FAILED or run.retries + run.recalls]
        days = [day for day in map(_day, known) if day is not None and (day > one.day if newest else day < one.day)]
        if left := [str(day) for day in days if day not in succeeded]:
            raise Broken(f"{one.id} runs {one.day} before {left}")

    def _check_cancelled(self, job: pb.Job, one: Instance) -> None:
        """Soon after a cancel, nothing more begins."""
        if self.faults or not job.HasField("cancel") or job.cancel.mode == pb.CANCEL_MODE_DETACH:
            return
        since_ms = self._timeline.now_ms - job.cancel.request_time.ToMilliseconds()
        known = one.id in {run.workflow_instance_id for run in job.runs}
        if since_ms > LAG_MS and known and not self._upstream.rules.starts_unnamed:
            raise Broken(f"{one.id} began {since_ms} ms after the cancel")

    def _check_read(self, job: pb.Job, instance_id: int) -> None:
        rows = {run.workflow_instance_id: run for run in job.runs}
        run = rows.get(instance_id)
        if run is None or run.state != pb.RUN_STATE_BLOCKED or run.HasField("stop_time"):
            return
        parent = rows.get(run.blocked_by_id)
        if parent is not None and parent.state in RUN_FRONTIER:
            raise Broken(f"a blocked instance is read while its parent runs: {instance_id}")

    def _ended(self, job: pb.Job) -> None:
        self._check_successes(job)
        self.check_nothing_runs(job)

    def check_nothing_runs(self, job: pb.Job) -> None:
        """Whatever a job that has ended was to follow has ended too, unless somebody else has a hand in it."""
        if self._may_run_on(job):
            return
        lost = {run.workflow_instance_id for run in job.runs if run.state == pb.RUN_STATE_UNRESOLVED}
        left = [one.id for one in self.mine() if one.status == RUNNING and not one.touched and one.id not in lost]
        if left:
            raise Broken(f"{pb.JobState.Name(job.state)} while these run: {left}")

    def _may_run_on(self, job: pb.Job) -> bool:
        if job.cancel.mode == pb.CANCEL_MODE_DETACH or "JOB_POISONED" in str(job.error):
            return True
        cancelled = job.HasField("cancel")
        if cancelled and self._kind in ("stop", "rerun", "tasks"):
            return True
        return not cancelled and job.until != pb.UNTIL_FINISHED

    def _check_tasks(self, job: pb.Job) -> None:
        """A task instance runs again by the job once at most, and a run of its own is told as it is."""
        for run in job.runs:
            one = self._upstream.instances.get(run.task_instance_id)
            if one is None or one.touched:
                continue
            if one.runs_by_job > 1:
                raise Broken(f"task instance {one.id} was run again {one.runs_by_job} times")
            wants_success = self._task_kind(job) in ("rerun_tasks", "set_success_tasks")
            if wants_success and run.state == pb.RUN_STATE_SUCCEEDED and one.status != SUCCESS:
                raise Broken(f"run {run.index} SUCCEEDED and its task did not")
            if run.state == pb.RUN_STATE_SKIPPED and one.runs_by_job:
                raise Broken(f"run {run.index} is SKIPPED and its task runs")

    @staticmethod
    def _task_kind(job: pb.Job) -> str:
        return job.WhichOneof("spec") or ""

    def _check_successes(self, job: pb.Job) -> None:
        if self._kind == "tasks":
            return self._check_tasks(job)
        for run in job.runs:
            one = self._upstream.instances.get(run.workflow_instance_id)
            if run.state == pb.RUN_STATE_SUCCEEDED and (one is None or not one.ever_succeeded):
                raise Broken(f"run {run.index} SUCCEEDED and its instance never did")
            if run.state == pb.RUN_STATE_FAILED and one is not None and one.status == SUCCESS and not one.touched:
                raise Broken(f"run {run.index} FAILED and its instance succeeded")
            if one is not None and not one.operation and not is_left_alone(run):
                raise Broken(f"run {run.index} took a stranger's instance")
        return None

    def mine(self) -> list[Instance]:
        """The instances that are the job's."""
        runs = self._folded.runs if self._folded else ()
        named = {run.workflow_instance_id for run in runs if not is_left_alone(run)}
        return [
            one for one in self._upstream.instances.values() if one.operation not in ("", "before") or one.id in named
        ]

    def at_rest(self, job: pb.Job) -> None:
        """When nothing more is expected to happen to the job."""
        if job.state not in JOB_TERMINAL | {pb.JOB_STATE_NEEDS_ATTENTION, pb.JOB_STATE_PAUSED}:
            raise Broken(f"still {pb.JobState.Name(job.state)}")

    def at_end(self, job: pb.Job, raw_log: list[bytes]) -> None:
        """When nothing happens any more."""
        if event_log.replay(map(pb.JobEvent.FromString, raw_log)) != job:
            raise Broken("the state is not the replay of the log")
        self._check_dates()
        if self._kind == "adhoc" and len(job.runs) != 1:
            raise Broken(f"an ad hoc run has {len(job.runs)} rows")
        self._check_survey(job)
        self._check_starts(job)
        self._check_told(job)
        if job.state in JOB_TERMINAL:
            self.check_nothing_runs(job)
            self._check_skipped(job)
            self._check_end(job)
        attempts = sum(run.attempt for run in job.runs)
        most = MOST_EVENTS + 4 * len(self._updated) + EVENTS_PER_RUN * attempts + 4 * len(self.faults)
        if len(raw_log) > most:
            raise Broken(f"{len(raw_log)} events, {most} at most were expected")

    def _check_skipped(self, job: pb.Job) -> None:
        """Nothing that counts as not run has run, unless an operator did it, or released it."""
        if self._kind == "stop" or any(one.touched for one in self._upstream.instances.values()):
            return
        for run in job.runs:
            one = self._upstream.instances.get(run.workflow_instance_id)
            if one is None or not one.started_ms or one.touched or one.started_by in ("", "operator"):
                continue
            if run.state == pb.RUN_STATE_SKIPPED:
                raise Broken(f"run {run.index} is SKIPPED and {one.id} was started by {one.started_by}")

    def _check_end(self, job: pb.Job) -> None:
        if (
            job.state == pb.JOB_STATE_SUCCEEDED
            and job.until == pb.UNTIL_FINISHED
            and self._kind not in ("stop", "tasks")
        ):
            bad = [run.index for run in job.runs if run.state != pb.RUN_STATE_SUCCEEDED and not is_left_alone(run)]
            if bad:
                raise Broken(f"SUCCEEDED with runs {bad} that did not")
        if job.state == pb.JOB_STATE_FAILED and not job.HasField("error"):
            raise Broken("FAILED without an error")

    def _check_starts(self, job: pb.Job) -> None:
        """Upstream is not asked twice for what it does by itself within the grace, unless it is known wrongly."""
        if not self.learnt:
            return
        grace_ms = job.backfill.adopt_grace.ToMilliseconds() if job.backfill.HasField("adopt_grace") else 90_000
        if self.faults or self._kind != "backfill" or grace_ms <= self._upstream.rules.auto_start_delay_ms + 20_000:
            return
        for one in self.mine():
            if one.started_by == "upstream" and not one.touched and self.starts[one.id] > 1:
                raise Broken(f"{one.id} was started by upstream and asked for {self.starts[one.id]} times")

    def _check_told(self, job: pb.Job) -> None:
        """Without faults, every failure is told with its task and log, and every success with what ran dry of it."""
        if (
            self.faults
            or self._kind in ("stop", "tasks")
            or job.HasField("cancel")
            or any(one.touched for one in self.mine())
        ):
            return
        for run in job.runs:
            failed = run.state == pb.RUN_STATE_FAILED and run.upstream_status == "Failure"
            if failed and run.failure_digest.log_tail != f"the end of {run.workflow_instance_id}":
                raise Broken(f"run {run.index} is not told why it failed")
            dry = run.state == pb.RUN_STATE_SUCCEEDED and run.workflow_instance_id % 7 == 0
            if bool(run.dry_run_tasks) != dry:
                raise Broken(f"run {run.index} is told to have done nothing: {bool(run.dry_run_tasks)}")

    def _check_survey(self, job: pb.Job) -> None:
        """No date that was there is made again, and none that was missing is left out."""
        if self._kind != "backfill" or not reprocess.surveys(job.backfill):
            return
        there = self._dates_left_alone(job.backfill)
        made = {one.day for one in self._upstream.instances.values() if one.operation not in ("", "before")}
        left = {dates.from_message(run.biz_date) for run in job.runs if is_left_alone(run)}
        if made & there:
            raise Broken(f"made again: {sorted(map(str, made & there))}")
        if left - there or (made and there & self._days(job) - left):
            raise Broken(f"left alone {left}, there were {there}")

    @staticmethod
    def _days(job: pb.Job) -> set[date | None]:
        return {dates.from_message(run.biz_date) for run in job.runs}

    def _dates_left_alone(self, spec: pb.BackfillSpec) -> set[date | None]:
        strangers = [one for one in self._upstream.instances.values() if not one.operation]
        latest = {one.day: one for one in strangers if marker.is_form_of(one.name, spec.name)}
        return {day for day, one in latest.items() if reprocess.leaves_alone(spec, one.status)}

    def _check_dates(self) -> None:
        made = Counter(one.day for one in self._upstream.instances.values() if one.operation not in ("", "before"))
        again = Counter({_day(run): run.retries + run.recalls for run in self._folded.runs} if self._folded else {})
        twice = [str(day) for day, count in made.items() if count > 1 + again[day]]
        if twice:
            raise Broken(f"created twice: {twice}")


def _day(run: pb.InstanceRun) -> date | None:
    return dates.from_message(run.biz_date) if run.HasField("biz_date") else None


def _act(step: Act | Wait | Rest) -> str:
    if not isinstance(step, Act):
        return type(step).__name__
    return f"{len(step.drafts)} drafts, {step.call!s:.160}"


def _told(event: pb.JobEvent) -> str:
    kind = pb.EventType.Name(event.type).removeprefix("EVENT_TYPE_")
    state = pb.JobState.Name(event.state).removeprefix("JOB_STATE_")
    rows = " ".join(
        f"[{run.index}:{pb.RunState.Name(run.state).removeprefix('RUN_STATE_')} {run.workflow_instance_id or ''}"
        f"{'<' + str(run.blocked_by_id) if run.blocked_by_id else ''}{' stop' if run.HasField('stop_time') else ''}]"
        for run in event.runs
    )
    ops = " ".join(f"op{op.index}:{pb.OperationOutcome.Name(op.outcome)[18:]}" for op in event.operations)
    return f"{event.revision:3d} {kind} {state} {event.message} {rows} {ops}"
