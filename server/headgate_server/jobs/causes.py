"""What causes of delay are made of, and those that lie in the runs of a job. Pure.

A rule looks at a job and at what is known besides, and yields the causes that it finds. `explain` asks all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import date_retries, dates, reprocess
from headgate.job.lifecycle import RUN_FRONTIER, RUN_TERMINAL
from headgate.process import wait_bounds
from headgate_server.ports.clock import timestamp
from headgate_server.ports.facts import Facts

MOST_RUNS: Final = 20
"""Most runs that are named one by one."""

Rule = Callable[[pb.Job, Facts], Iterator[pb.Cause]]

_UPSTREAM_WAITS: Final[Mapping[str, pb.CauseKind.ValueType]] = {
    "WaitResource": pb.CAUSE_KIND_UPSTREAM_RESOURCE,
    "WaitTime": pb.CAUSE_KIND_UPSTREAM_SCHEDULE,
}
"""Upstream's own words for what it waits for."""

_ENDED: Final[Mapping[pb.RunState.ValueType, str]] = {
    pb.RUN_STATE_SUCCEEDED: "has succeeded",
    pb.RUN_STATE_FAILED: "has failed",
    pb.RUN_STATE_STOPPED: "was stopped",
    pb.RUN_STATE_SKIPPED: "was skipped",
    pb.RUN_STATE_UNRESOLVED: "is lost",
}

_WAITING: Final = frozenset({pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING})


def cause(
    kind: pb.CauseKind.ValueType, subject: str, said: str, since: Timestamp | None = None, **typed: Any
) -> pb.Cause:
    """A cause; `typed` are its other fields."""
    return pb.Cause(kind=kind, subject=subject, description=said, since=since, **typed)


def time_of(holder: Any, *names: str) -> Timestamp | None:
    """The first of some times that a message has; None where it has none of them."""
    found: Timestamp | None = next((getattr(holder, name) for name in names if holder.HasField(name)), None)
    return found


def is_starting(job: pb.Job) -> bool:
    """Whether runs of the job may still begin: otherwise what they wait for does not matter."""
    return job.state != pb.JOB_STATE_CANCELLING


def failures(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    """A failed date that lets nothing more begin."""
    policy = job.backfill.on_failure
    left = [run for run in job.runs if run.state not in RUN_TERMINAL]
    judged = job.state in date_retries.WORKING and not date_retries.awaiting(job)
    if not (left and judged and job.HasField("backfill")) or policy == pb.ON_FAILURE_CONTINUE:
        return
    now = date_retries.current_go(job.runs)
    bad = [run for run in job.runs if date_retries.counts_as_failed(run) and date_retries.go(run) == now]
    if bad:
        first = min(bad, key=lambda run: run.observe_time.ToNanoseconds())
        drains = policy == pb.ON_FAILURE_DRAIN
        on = [run for run in left if (run.state != pb.RUN_STATE_PLANNED if drains else run.state in RUN_FRONTIER)]
        rest = f"nothing more is {'created' if drains else 'started'}"
        said = f"{_day(first)} {_ENDED[first.state]}: {rest}; {len(on)} runs go on, {len(left) - len(on)} do not begin"
        since = time_of(first, "observe_time", "finished_time")
        yield _of_run(pb.CAUSE_KIND_FAILURE_POLICY, _day(first), said, first, since, runs=len(left))


def retries(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    """Failed dates that wait for their next try."""
    if not is_starting(job):
        return
    most, waits = job.backfill.max_attempts_per_date, wait_bounds.announced(facts.quota)
    for run in date_retries.awaiting(job)[:MOST_RUNS]:
        said = f"{_day(run)} has failed and is tried again once nothing else runs, try {run.retries + 2} of {most}"
        due_ms = run.observe_time.ToMilliseconds() + waits.retry_ms(run.retries)
        seen = time_of(run, "observe_time")
        clear = timestamp(due_ms) if seen is not None and due_ms > facts.now_ms else None
        yield _of_run(pb.CAUSE_KIND_RETRY, _day(run), said, run, seen, expected_clear_time=clear, runs=1)


def not_created(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    """Dates without an instance, while nothing but those before them keeps it from being made."""
    if job.state != pb.JOB_STATE_RUNNING or not job.HasField("backfill") or not is_surveyed(job):
        return
    planned = [run for run in job.runs if run.state == pb.RUN_STATE_PLANNED]
    ahead = sum(run.state not in RUN_TERMINAL | {pb.RUN_STATE_PLANNED} for run in job.runs)
    if planned and ahead and not next(failures(job, facts), None):
        newest = job.backfill.default_run_properties.order == pb.BACKFILL_ORDER_DESC
        following = (max if newest else min)(planned, key=_date_key)
        said = (
            f"{len(planned)} dates from {_day(following)} on are not created yet: {ahead} instances stand created and "
            f"have not ended"
        )
        last = job.operations[-1] if job.operations else None
        since = last.intent_time if last is not None and last.HasField("intent_time") else job.start_time
        yield _of_run(pb.CAUSE_KIND_NOT_CREATED, _day(following), said, following, since, runs=len(planned))


def is_surveyed(job: pb.Job) -> bool:
    """Whether it is known which dates have instances already, or the backfill needs no survey."""
    return not reprocess.surveys(job.backfill) or job.HasField("survey_time") or bool(job.operations)


def parents(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    """What blocked runs wait for; those behind another blocked run are only counted."""
    if not is_starting(job) or _is_halted(job, facts):
        return
    tried = {run.workflow_instance_id for run in date_retries.awaiting(job)}
    by_id = {run.workflow_instance_id: run for run in job.runs if run.workflow_instance_id}
    behind: dict[int, list[pb.InstanceRun]] = {}
    blocked = [run for run in job.runs if run.state == pb.RUN_STATE_BLOCKED]
    for run in blocked:
        behind.setdefault(run.blocked_by_id, []).append(run)
    heads = [run for run in blocked if not _is_blocked(by_id.get(run.blocked_by_id))]
    for run in [run for run in heads if run.blocked_by_id not in tried][:MOST_RUNS]:
        yield _parent(job, facts, run, by_id.get(run.blocked_by_id), _count_behind(run, behind))


def _is_halted(job: pb.Job, facts: Facts) -> bool:
    """Whether a failure keeps back all that has not begun, for good or until the date was tried again."""
    if job.backfill.on_failure not in (pb.ON_FAILURE_UNSPECIFIED, pb.ON_FAILURE_HALT):
        return False
    return bool(date_retries.awaiting(job)) or next(failures(job, facts), None) is not None


def _is_blocked(run: pb.InstanceRun | None) -> bool:
    return run is not None and run.state == pb.RUN_STATE_BLOCKED


def _count_behind(run: pb.InstanceRun, behind: Mapping[int, Sequence[pb.InstanceRun]]) -> int:
    """How many runs come after a blocked one, itself included; upstream's ids might form a cycle."""
    seen: set[int] = set()
    left = [run]
    while left:
        one = left.pop()
        if one.index not in seen:
            seen.add(one.index)
            left += behind.get(one.workflow_instance_id, ())
    return len(seen)


def _parent(job: pb.Job, facts: Facts, run: pb.InstanceRun, parent: pb.InstanceRun | None, count: int) -> pb.Cause:
    child, number = f"instance {run.workflow_instance_id}", run.blocked_by_id
    ended = _ENDED.get(parent.state, "") if parent is not None else ""
    failed = parent is not None and bool(ended) and parent.state != pb.RUN_STATE_SUCCEEDED
    typed: dict[str, Any] = {"runs": count, "parent_instance_id": number}
    if not run.HasField("parent_end_time") and not ended:
        since = time_of(parent, "started_time") if parent is not None else None
        said = f"{child} waits for its parent {number}"
        since = since or time_of(run, "observe_time")
        return _of_run(pb.CAUSE_KIND_PARENT_INSTANCE, str(number), said, run, since, **typed)
    kind = pb.CAUSE_KIND_PARENT_FAILED if failed else pb.CAUSE_KIND_ADOPT_GRACE
    since = time_of(run, "parent_end_time") or (time_of(parent, "finished_time", "observe_time") if parent else None)
    until_ms = run.parent_end_time.ToMilliseconds() + _grace_ms(job, facts, parent)
    is_over = run.HasField("parent_end_time") and until_ms <= facts.now_ms
    clear = timestamp(until_ms) if run.HasField("parent_end_time") and not is_over else None
    rest = "it is read and started now"
    if not is_over:
        later = ", once the job goes on" if job.state == pb.JOB_STATE_PAUSED else ""
        rest = f"upstream may start it by itself until the grace is over; then headgate does{later}"
    said = f"the parent {number} of {child} {ended or 'has ended'}: {rest}"
    return _of_run(kind, str(number), said, run, since, expected_clear_time=clear, **typed)


def _grace_ms(job: pb.Job, facts: Facts, parent: pb.InstanceRun | None) -> int:
    if job.backfill.HasField("adopt_grace"):
        return int(job.backfill.adopt_grace.ToMilliseconds())
    longest_ms = wait_bounds.announced(facts.quota).adopt_grace_ms
    if parent is None or not parent.HasField("finished_time"):
        return longest_ms
    succeeded = parent.state == pb.RUN_STATE_SUCCEEDED
    return facts.children.grace_ms(facts.now_ms, succeeded=succeeded, longest_ms=longest_ms)


def upstream(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    """Runs that upstream has accepted and holds back."""
    waiting = [run for run in job.runs if run.state in RUN_FRONTIER and run.upstream_status in _UPSTREAM_WAITS]
    for run in waiting[:MOST_RUNS]:
        said = f"{_instance(run)} is in {run.upstream_status}"
        kind, subject = _UPSTREAM_WAITS[run.upstream_status], _subject(run)
        yield _of_run(kind, subject, said, run, time_of(run, "observe_time"), runs=1)


def _subject(run: pb.InstanceRun) -> str:
    return run.flow_instance_id or str(run.workflow_instance_id or run.task_instance_id)


def _instance(run: pb.InstanceRun) -> str:
    return f"{'task ' if run.task_instance_id else ''}instance {_subject(run)}"


def running(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    """Runs that nothing holds back."""
    found = [run for run in job.runs if run.state in RUN_FRONTIER and run.upstream_status not in _UPSTREAM_WAITS]
    if found:
        first = min(found, key=lambda run: (not run.HasField("started_time"), run.started_time.ToNanoseconds()))
        subject = _subject(first)
        said = f"{len(found)} of {len(job.runs)} runs run"
        yield _of_run(pb.CAUSE_KIND_RUNNING, subject, said, first, time_of(first, "started_time"), runs=len(found))


def _of_run(
    kind: pb.CauseKind.ValueType, subject: str, said: str, run: pb.InstanceRun, since: Timestamp | None, **typed: Any
) -> pb.Cause:
    day = run.biz_date if run.HasField("biz_date") else None
    return cause(kind, subject, said, since, biz_date=day, workflow_instance_id=run.workflow_instance_id, **typed)


def _day(run: pb.InstanceRun) -> str:
    if run.HasField("biz_date"):
        return dates.from_message(run.biz_date).isoformat()
    return f"run {run.index}"


def _date_key(run: pb.InstanceRun) -> tuple[int, int, int]:
    return run.biz_date.year, run.biz_date.month, run.biz_date.day
