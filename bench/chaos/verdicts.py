"""The checkers: what must hold after every fault, as counts of what does not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from bench.chaos.results import Check, Figure, none
from bench.chaos.truth import Stored, Truth
from bench.chaos.watches import Record, canonical

from headgate import pb
from headgate.backfill.reprocess import is_left_alone
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL, IllegalTransition
from headgate.store import keys
from headgate_emulator.ledger import Ledger

Jobs = Mapping[str, Stored]

ONCE_ONLY = ("CreateWorkflowInstances", "ExecuteAdhocWorkflowInstance")
"""Calls that must never be executed twice for one job."""

ACTING: Final = frozenset({"start", "stop", "rerun", "trigger_flow", "cancel_flow_instance"})
"""Kinds of jobs that make no instance under their own name, and act on those that there are."""


def ends(jobs: Jobs, acknowledged: Collection[str]) -> list[Check]:
    """J: every acknowledged job reaches exactly one end."""
    known = [jobs[job_id] for job_id in acknowledged if job_id in jobs]
    unexplained = [job for job in known if job.state == pb.JOB_STATE_FAILED]
    return [
        none("acknowledged jobs lost", len(set(acknowledged) - jobs.keys())),
        none("acknowledged jobs without an end", sum(not job.settled for job in known)),
        none("jobs with more than one end", sum(_ends(job) > 1 for job in known)),
        none("jobs that failed", len(unexplained)),
    ]


def _ends(job: Stored) -> int:
    """How often the job went from a state that is not terminal to one that is."""
    states = [pb.JobEvent.FromString(event).state for event in job.events]
    return sum(
        after in JOB_TERMINAL and before not in JOB_TERMINAL
        for before, after in zip([0, *states], states, strict=False)
    )


def effects(jobs: Jobs, ledger: Ledger) -> list[Check]:
    """S: each create and execute was done once by upstream, or the job asks for a person."""
    done = Counter(row.params.get("Name", "") for row in ledger if row.applied and row.action in ONCE_ONLY)
    asked = Counter(name for job in jobs.values() for name in _names(job))
    succeeded = [job for job in jobs.values() if job.state == pb.JOB_STATE_SUCCEEDED]
    return [
        none("upstream creates or executes done twice", sum(done[name] > max(1, asked[name]) for name in done)),
        none("succeeded jobs without their create", sum(_lacks_create(job, done) for job in succeeded)),
        none("calls dropped from the ledger", ledger.total - len(ledger)),
    ]


def _names(job: Stored) -> list[str]:
    """The names under which a job makes instances, one for each create or execute that it has intended."""
    intended = [operation.marker for operation in job.job.operations if operation.action in ONCE_ONLY]
    return [name or job.job_id for name in intended] or ([job.job_id] if _creates(job) else [])


def _lacks_create(job: Stored, done: Counter[str]) -> bool:
    return any(done[name] < times for name, times in Counter(_names(job)).items())


def _creates(job: Stored) -> bool:
    """Whether the job makes instances: it is of a kind that does, and not all of its dates had one already."""
    left_alone = bool(job.job.runs) and all(is_left_alone(run) for run in job.job.runs)
    return job.job.WhichOneof("spec") not in ACTING and not left_alone


def folds(jobs: Jobs) -> list[Check]:
    """F: each job's state is the fold of its log."""
    return [none("jobs whose state is not the fold of their log", sum(not _folds(job) for job in jobs.values()))]


def _folds(job: Stored) -> bool:
    try:
        folded = event_log.replay(map(pb.JobEvent.FromString, job.events))
    except (event_log.BrokenLog, IllegalTransition):
        return False
    return folded == job.job and job.revision == len(job.events) and job.state == folded.state


async def indexes(truth: Truth, jobs: Jobs) -> list[Check]:
    """F: every index says what the jobs say."""
    due = {raw.decode() for raw in await truth.redis.zrange(keys.DUE, 0, -1)}
    ending = {raw.decode() for raw in await truth.redis.zrange(keys.EXPIRING, 0, -1)}
    terminal = {job_id for job_id, job in jobs.items() if job.state in JOB_TERMINAL}
    wrong = (due ^ (jobs.keys() - terminal)) | (ending ^ terminal)
    for state in {job.state for job in jobs.values()}:
        listed = {raw.decode() for raw in await truth.redis.zrange(keys.state(state), 0, -1)}
        wrong |= listed ^ {job_id for job_id, job in jobs.items() if job.state == state}
    return [none("jobs missing or wrong in an index", len(wrong))]


def watched(jobs: Jobs, records: Sequence[Record]) -> list[Check]:
    """W: each watcher got its job's log: contiguous, nothing twice, payloads as stored."""
    return [
        none("watchers with a gap or a repeat", sum(not _contiguous(record) for record in records)),
        none("watchers whose events are not the log", sum(not _is_log(jobs, record) for record in records)),
        none("watchers that were never told the end", sum(_untold(jobs, record) for record in records)),
        none("streams that showed a gap", sum(_gaps(record) for record in records)),
    ]


def _contiguous(record: Record) -> bool:
    return record.revisions == list(range(1, len(record.revisions) + 1))


def _is_log(jobs: Jobs, record: Record) -> bool:
    job = jobs.get(record.job_id)
    if job is None:
        return False
    stored = [canonical(pb.JobEvent.FromString(event)) for event in job.events]
    return record.payloads == (stored if record.ended else stored[: len(record.payloads)])


def _untold(jobs: Jobs, record: Record) -> bool:
    job = jobs.get(record.job_id)
    return job is not None and job.state in JOB_TERMINAL and not record.ended


def _gaps(record: Record) -> int:
    return sum(count for cause, count in record.causes.items() if "a gap before" in cause)


async def leftovers(truth: Truth, jobs: Jobs) -> list[Check]:
    """R: nothing is held, and nothing is queued but the next look at jobs that wait."""
    now_ms = await truth.now_ms()
    open_jobs = {job_id for job_id, job in jobs.items() if job.state not in JOB_TERMINAL}
    queued = [raw.decode().split(":")[1] for raw in await truth.redis.zrange(keys.TICKS, 0, -1)]
    definitions = await truth.keys_like("arq:job:tick:*")
    return [
        none("in-progress keys left", len(await truth.keys_like("arq:in-progress:*"))),
        none("leases left on jobs", sum(job.lease_ms > now_ms for job in jobs.values())),
        none("ticks left of ended jobs", sum(job_id not in open_jobs for job_id in queued)),
        none("tick definitions without an entry", max(0, len(definitions) - len(queued))),
    ]


def tally(jobs: Iterable[Stored]) -> dict[str, Figure]:
    """How the jobs ended, by state."""
    counts = Counter(pb.JobState.Name(job.state).removeprefix("JOB_STATE_") for job in jobs)
    return {f"jobs {state}": number for state, number in sorted(counts.items())}


def explained(jobs: Iterable[Stored]) -> str:
    """The commonest reasons of jobs that did not succeed, with how many have each."""
    reasons: Counter[str] = Counter()
    for job in jobs:
        if job.state in (pb.JOB_STATE_FAILED, pb.JOB_STATE_NEEDS_ATTENTION):
            said = job.job.error.message.replace(job.job_id, "...")
            reasons[said[:60] if job.job.HasField("error") else "no error"] += 1
    return json.dumps(dict(reasons.most_common(5)), ensure_ascii=False)
