"""Tell why a job is not further than it is, from the job, the workers' signs of life and the quota. Pure.

Rules are asked in order, the outermost cause first. A job that has not ended always has a cause: where nothing is in
the way, that it runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import date_retries, dates, reprocess
from headgate.job.lifecycle import RUN_FRONTIER, RUN_TERMINAL, is_terminal
from headgate.quota import fair_share
from headgate.store import keys
from headgate_server.ports.clock import timestamp
from headgate_server.ports.facts import Facts

DEAD_MS: Final = 15_000
"""A worker that has been silent for so long counts as gone."""

CROWDED_MS: Final = 1_000
"""A queue for the quota that is shorter than this is not worth telling."""

MOST_RUNS: Final = 20
"""Most runs that are named one by one."""

_UPSTREAM_WAITS: Final[Mapping[str, pb.CauseKind.ValueType]] = {
    "WaitResource": pb.CAUSE_KIND_UPSTREAM_RESOURCE,
    "WaitTime": pb.CAUSE_KIND_UPSTREAM_SCHEDULE,
}
"""Upstream's own words for what it waits for."""

_OPEN: Final = frozenset({pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS})


Rule = Callable[[pb.Job, Facts], Iterator[pb.Cause]]


def causes(job: pb.Job, facts: Facts) -> list[pb.Cause]:
    """What keeps the job from being further; empty for a terminal one."""
    if is_terminal(job):
        return []
    found = [cause for rule in _RULES for cause in rule(job, facts)]
    return found or [_cause(pb.CAUSE_KIND_RUNNING, job.name, "a worker goes on with it", job.update_time)]


def _attention(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_NEEDS_ATTENTION:
        said = job.error.message or "a person has to decide"
        yield _cause(pb.CAUSE_KIND_NEEDS_ATTENTION, job.name, said, job.update_time)


def _workers(_: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    seen_ms = facts.worker_seen_ms
    if seen_ms is None:
        yield _cause(pb.CAUSE_KIND_WORKER_ABSENT, "", "no worker is known", None)
    elif facts.now_ms - seen_ms >= DEAD_MS:
        yield _cause(pb.CAUSE_KIND_WORKER_ABSENT, "", "no worker has said that it lives", timestamp(seen_ms))


def _line(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    theirs: dict[str, list[str]] = {}
    for day, job_id in sorted(facts.taken.items()):
        theirs.setdefault(keys.job_name(job_id), []).append(dates.dashed(day))
    for name, days in itertools.islice(theirs.items(), MOST_RUNS):
        said = f"waits for {name}, which has {days[0]}{f' and {len(days) - 1} more dates' if len(days) > 1 else ''}"
        yield _cause(pb.CAUSE_KIND_OVERLAP, name, said, job.create_time)


def _standing(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_PAUSED:
        yield _cause(pb.CAUSE_KIND_PAUSED, job.name, "paused: nothing new is started", job.update_time)
    if job.state == pb.JOB_STATE_QUEUED and not facts.taken:
        yield _cause(pb.CAUSE_KIND_QUEUE, job.name, "no worker has taken it yet", job.create_time)


def _operations(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    for operation in job.operations:
        if operation.outcome in _OPEN:
            said = f"what became of {operation.action} {operation.marker!r} is not known yet"
            yield _cause(pb.CAUSE_KIND_RECONCILING, operation.marker, said, operation.intent_time)
        waits = any(run.operation_index == operation.index and run.state == pb.RUN_STATE_CREATING for run in job.runs)
        if operation.outcome == pb.OPERATION_OUTCOME_NOT_SENT and waits:
            said = f"{operation.action} was not executed and is tried again"
            yield _cause(pb.CAUSE_KIND_UPSTREAM_FAILING, operation.marker, said, operation.intent_time)


def _retries(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_CANCELLING:
        return
    most = job.backfill.max_attempts_per_date
    for run in date_retries.awaiting(job)[:MOST_RUNS]:
        day = dates.from_message(run.biz_date).isoformat()
        said = f"{day} has failed and is tried again once nothing else runs, try {run.retries + 2} of {most}"
        yield _cause(pb.CAUSE_KIND_RETRY, day, said, _observed(run))


def _quota(_: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    for lane in ("read", "write"):
        until_ms = int(facts.quota.get(f"frozen:{lane}", "0"))
        if until_ms > facts.now_ms:
            yield _until(pb.CAUSE_KIND_QUOTA, lane, f"no {lane} goes out before its allowance is renewed", until_ms)
    free_ms, shared_ms = _latest_ms(facts, "tat"), _latest_ms(facts, "several")
    if free_ms - facts.now_ms >= CROWDED_MS:
        yield _until(pb.CAUSE_KIND_QUOTA, "rate", "calls queue for the shared rate", free_ms)
    elif free_ms > facts.now_ms and facts.now_ms - shared_ms < fair_share.RECENT_MS:
        said = "calls of several creators queue for the shared rate, and each has its share"
        yield _until(pb.CAUSE_KIND_QUOTA, "rate", said, free_ms)


def _latest_ms(facts: Facts, what: str) -> int:
    """The latest of some times that the quota has, in microseconds, of reads, of writes and of both together."""
    return max(int(facts.quota.get(f"{what}:{lane}", "0")) // 1_000 for lane in ("read", "write", "total"))


def _survey(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_RUNNING and reprocess.surveys(job.backfill) and not _surveyed(job):
        said = f"{len(job.runs)} dates are looked up upstream before anything is created"
        yield _cause(pb.CAUSE_KIND_RUNNING, job.name, said, job.start_time)


def _surveyed(job: pb.Job) -> bool:
    return job.HasField("survey_time") or bool(job.operations)


def _stopping(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_CANCELLING:
        left = [run for run in job.runs if run.state not in RUN_TERMINAL]
        drains = job.cancel.mode == pb.CANCEL_MODE_DRAIN
        asked = "nothing more is started" if drains else "everything is asked to stop"
        said = f"the job is being cancelled: {asked}; {len(left)} of {len(job.runs)} runs were not read ended yet"
        since = job.cancel.request_time if job.cancel.HasField("request_time") else None
        yield _cause(pb.CAUSE_KIND_RUNNING, job.name, said, since)


def _parents(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_CANCELLING:
        return  # what a blocked run waits for is of no matter once it is not to start
    for run in [run for run in job.runs if run.state == pb.RUN_STATE_BLOCKED][:MOST_RUNS]:
        said = f"instance {run.workflow_instance_id} waits for its parent {run.blocked_by_id}"
        yield _cause(pb.CAUSE_KIND_PARENT_INSTANCE, str(run.blocked_by_id), said, _observed(run))


def _upstream(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    waiting = [run for run in job.runs if run.state in RUN_FRONTIER and run.upstream_status in _UPSTREAM_WAITS]
    for run in waiting[:MOST_RUNS]:
        said = f"instance {run.workflow_instance_id} is in {run.upstream_status}"
        kind = _UPSTREAM_WAITS[run.upstream_status]
        yield _cause(kind, str(run.workflow_instance_id), said, _observed(run))


def _running(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    running = [run for run in job.runs if run.state in RUN_FRONTIER and run.upstream_status not in _UPSTREAM_WAITS]
    if running:
        first = running[0]
        subject = first.flow_instance_id or str(first.workflow_instance_id)
        since = first.started_time if first.HasField("started_time") else None
        yield _cause(pb.CAUSE_KIND_RUNNING, subject, f"{len(running)} of {len(job.runs)} runs run", since)


_RULES: Final[tuple[Rule, ...]] = (
    _attention,
    _workers,
    _line,
    _standing,
    _operations,
    _retries,
    _quota,
    _survey,
    _stopping,
    _parents,
    _upstream,
    _running,
)


def _observed(run: pb.InstanceRun) -> Timestamp | None:
    return run.observe_time if run.HasField("observe_time") else None


def _cause(kind: pb.CauseKind.ValueType, subject: str, said: str, since: Timestamp | None) -> pb.Cause:
    return pb.Cause(kind=kind, subject=subject, description=said, since=since)


def _until(kind: pb.CauseKind.ValueType, subject: str, said: str, until_ms: int) -> pb.Cause:
    return pb.Cause(kind=kind, subject=subject, description=said, expected_clear_time=timestamp(until_ms))
