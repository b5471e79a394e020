"""Why a job is not further than it is, from the job, the workers' heartbeats and the quota. Pure.

Rules are asked in order, the outermost cause first. A job that has not ended always has a cause: where nothing is in
the way, that it runs. Times are given where they are known: since when, when it is expected to be over, and when
headgate decides at the latest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import dates
from headgate.job.lifecycle import RUN_FRONTIER, RUN_TERMINAL, is_terminal
from headgate.process import wait_bounds
from headgate.quota import fair_share
from headgate.quota import limits as quota_limits
from headgate.store import keys
from headgate_server.jobs import causes as of_runs
from headgate_server.jobs.causes import MOST_RUNS, Rule, cause, is_surveyed, time_of
from headgate_server.ports.clock import timestamp
from headgate_server.ports.facts import Facts

DEAD_MS: Final = 15_000
"""A worker that has been silent for so long counts as gone."""

UNSERVED_MS: Final = 75_000
"""A connection that no worker has announced for so long has none; workers announce theirs every 30 s."""

CROWDED_MS: Final = 1_000
"""A shorter queue for the quota is no cause."""

ON_ITS_WAY_MS: Final = 15_000
"""A call may be on its way for so long after its intent; after that its reply is lost."""

LATEST_EVENTS: Final = 200
"""So many events are read at most to learn since when a job waits for a person."""


def causes(job: pb.Job, facts: Facts) -> list[pb.Cause]:
    """What keeps the job from being further; empty for a terminal one."""
    if is_terminal(job):
        return []
    found = [cause for rule in _RULES for cause in rule(job, facts)]
    return found or [cause(pb.CAUSE_KIND_RUNNING, job.name, "a worker goes on with it", job.update_time)]


def state_since_ms(events: Sequence[pb.JobEvent]) -> int | None:
    """Since when a job is in the state of its last event; None when that began before these, the latest of its log."""
    ms: int | None = None
    for event in reversed(events):
        if event.state != events[-1].state:
            return ms
        ms = event.event_time.ToMilliseconds()
    return ms if events and events[0].revision == 1 else None


def _since(facts: Facts) -> Timestamp | None:
    return None if facts.state_since_ms is None else timestamp(facts.state_since_ms)


def _attention(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_NEEDS_ATTENTION:
        said = job.error.message or "a person has to decide"
        yield cause(pb.CAUSE_KIND_NEEDS_ATTENTION, job.name, said, _since(facts))


def _workers(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    seen_ms, announced = facts.worker_seen_ms, facts.quota.get(quota_limits.ANNOUNCED, "")
    said_ms = int(announced) if announced.isdecimal() else facts.now_ms
    if seen_ms is None:
        yield cause(pb.CAUSE_KIND_WORKER_ABSENT, "", "no worker is known")
    elif facts.now_ms - seen_ms >= DEAD_MS:
        yield cause(pb.CAUSE_KIND_WORKER_ABSENT, "", "no worker has said that it lives", timestamp(seen_ms))
    elif facts.now_ms - said_ms >= UNSERVED_MS:
        said = "workers live, and none says that it serves the connection"
        yield cause(pb.CAUSE_KIND_WORKER_ABSENT, job.connection, said, timestamp(said_ms))


def _line(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    theirs: dict[str, list[str]] = {}
    for day, job_id in sorted(facts.taken.items()):
        theirs.setdefault(keys.job_name(job_id), []).append(day)
    for name, days in itertools.islice(theirs.items(), MOST_RUNS):
        more = f" and {len(days) - 1} more dates" if len(days) > 1 else ""
        said = f"waits for {name}, which has {dates.dashed(days[0])}{more}"
        yield cause(pb.CAUSE_KIND_OVERLAP, name, said, job.create_time, other_job=name, runs=len(days))


def _standing(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_PAUSED:
        yield cause(pb.CAUSE_KIND_PAUSED, job.name, "paused: nothing new is started", _since(facts))
    if job.state == pb.JOB_STATE_QUEUED and not facts.taken:
        yield cause(pb.CAUSE_KIND_QUEUE, job.name, "no worker has taken it yet", job.create_time)


def _cancelling(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    if job.state != pb.JOB_STATE_CANCELLING:
        return
    left = [run for run in job.runs if run.state not in RUN_TERMINAL]
    drains = job.cancel.mode == pb.CANCEL_MODE_DRAIN
    asked = "nothing more is started" if drains else "everything is asked to stop"
    said = f"the job is being cancelled: {asked}; {len(left)} of {len(job.runs)} runs were not read ended yet"
    since, until = time_of(job.cancel, "request_time"), None
    if not (drains and any(run.state in RUN_FRONTIER for run in left)):
        at_ms = max(job.update_time.ToMilliseconds(), job.cancel.request_time.ToMilliseconds())
        until = timestamp(at_ms + wait_bounds.announced(facts.quota).stop_watchdog_ms)
    yield cause(pb.CAUSE_KIND_CANCEL, job.name, said, since, deadline_time=until, runs=len(left))


def _operations(job: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    for operation in job.operations:
        runs = sum(run.operation_index == operation.index and run.state in _CREATING for run in job.runs)
        yield from _operation(operation, runs, facts)


_CREATING: Final = frozenset({pb.RUN_STATE_CREATING})


def _operation(operation: pb.UpstreamOperation, runs: int, facts: Facts) -> Iterator[pb.Cause]:
    action, marker, since = operation.action, operation.marker, time_of(operation, "intent_time")
    asked_ms = operation.intent_time.ToMilliseconds()
    is_fresh = facts.now_ms - asked_ms < ON_ITS_WAY_MS
    if operation.outcome == pb.OPERATION_OUTCOME_INTENDED and is_fresh:
        yield cause(pb.CAUSE_KIND_NOT_CREATED, marker, f"{action} {marker!r} is on its way", since, runs=runs)
    elif operation.outcome in (pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS):
        waits = wait_bounds.announced(facts.quota)
        then = "it is sent again" if waits.resend_absent else "a person is asked"
        said = f"what became of {action} {marker!r} is not known: it is searched for, and if that finds nothing {then}"
        until = timestamp(asked_ms + waits.settle_ms) if since is not None else None
        yield cause(pb.CAUSE_KIND_RECONCILING, marker, said, since, deadline_time=until, runs=runs)
    elif operation.outcome == pb.OPERATION_OUTCOME_ACCEPTED and runs:
        said = f"upstream makes the instances of {action} {marker!r}"
        yield cause(pb.CAUSE_KIND_NOT_CREATED, marker, said, since, runs=runs)
    elif operation.outcome == pb.OPERATION_OUTCOME_NOT_SENT and runs:
        said = f"{action} was not executed and is tried again"
        yield cause(pb.CAUSE_KIND_UPSTREAM_FAILING, marker, said, since, runs=runs)


def _quota(_: pb.Job, facts: Facts) -> Iterator[pb.Cause]:
    for lane in ("read", "write"):
        until_ms = int(facts.quota.get(f"frozen:{lane}", "0"))
        if until_ms > facts.now_ms:
            yield _until(lane, f"no {lane} goes out before its allowance is renewed", until_ms)
    free_ms, shared_ms = _latest_ms(facts, "tat"), _latest_ms(facts, "several")
    if free_ms - facts.now_ms >= CROWDED_MS:
        yield _until("rate", "calls queue for the shared rate", free_ms)
    elif free_ms > facts.now_ms and facts.now_ms - shared_ms < fair_share.RECENT_MS:
        yield _until("rate", "calls of several creators queue for the shared rate, and each has its share", free_ms)


def _until(subject: str, said: str, until_ms: int) -> pb.Cause:
    return cause(pb.CAUSE_KIND_QUOTA, subject, said, expected_clear_time=timestamp(until_ms))


def _latest_ms(facts: Facts, what: str) -> int:
    """The latest of some times that the quota has, in microseconds, of reads, of writes and of both together."""
    return max(int(facts.quota.get(f"{what}:{lane}", "0")) // 1_000 for lane in ("read", "write", "total"))


def _survey(job: pb.Job, _: Facts) -> Iterator[pb.Cause]:
    if job.state == pb.JOB_STATE_RUNNING and not is_surveyed(job):
        said = f"{len(job.runs)} dates are looked up upstream before anything is created"
        yield cause(pb.CAUSE_KIND_SURVEY, job.name, said, job.start_time, runs=len(job.runs))


_RULES: Final[tuple[Rule, ...]] = (
    _attention,
    _workers,
    _line,
    _standing,
    _cancelling,
    _operations,
    of_runs.failures,
    of_runs.retries,
    _quota,
    _survey,
    of_runs.not_created,
    of_runs.parents,
    of_runs.upstream,
    of_runs.running,
)
