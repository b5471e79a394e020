"""The report of a backfill: a pure function of the job, its log, and what upstream says now where it was asked.

Its statement is conservative (ADR 0030): what is not known never counts in its favour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_server.ports.clock import timestamp
from headgate_server.reports import statement
from headgate_server.reports.date_report import DateFacts, JudgedDate, Objection, judge
from headgate_server.reports.history import InstanceHistory
from headgate_server.reports.sightings import DateSighting, Sightings
from headgate_server.reports.statement import DatedObjection

_OPEN = frozenset({pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS})
_FOUND = frozenset({pb.OPERATION_OUTCOME_ACCEPTED, pb.OPERATION_OUTCOME_CONFIRMED, pb.OPERATION_OUTCOME_ADOPTED})


def report(job: pb.Job, history: InstanceHistory, seen: Sightings | None, *, now_ms: int) -> pb.JobReport:
    """The report.

    Args:
        job: the job at the revision of the last event that the history has.
        history: its log.
        seen: what upstream says now; None where it was not asked.
        now_ms: the store's time.
    """
    history.complete(job.runs)
    known = known_ids(job, history)
    judged = [_judged(job, run, history, known, seen) for run in job.runs]
    objections = [*_of_job(job, history, judged, known, asked=seen is not None), *_of_dates(judged)]
    made = _head(job, now_ms)
    made.dates.extend(one.report for one in judged)
    made.notes.extend(history.notes)
    made.notes_omitted = history.notes_omitted
    made.operations.extend(job.operations)
    made.totals.CopyFrom(_totals(job, made.dates))
    if seen is not None:
        made.verification.CopyFrom(_verification(made.dates, seen))
    made.statement.CopyFrom(statement.of(made, objections))
    return made


def known_ids(job: pb.Job, history: InstanceHistory) -> frozenset[int]:
    """Ids of all instances that the log knows of some date."""
    rows = (told for run in job.runs for told in history.instances(run.index))
    return frozenset(told.workflow_instance_id for told in rows) - {0}


def _judged(
    job: pb.Job, run: pb.InstanceRun, history: InstanceHistory, known: frozenset[int], seen: Sightings | None
) -> JudgedDate:
    sighting: DateSighting | None = seen.dates.get(run.index) if seen is not None else None
    return judge(DateFacts(job, run, history.instances(run.index), known, sighting, seen is not None))


def _of_dates(judged: Sequence[JudgedDate]) -> Iterator[DatedObjection]:
    for one in judged:
        for found in one.objections:
            yield DatedObjection(found, (one.report.biz_date,))


def _of_job(
    job: pb.Job, history: InstanceHistory, judged: Sequence[JudgedDate], known: frozenset[int], *, asked: bool
) -> Iterator[DatedObjection]:
    if job.state not in JOB_TERMINAL:
        word = pb.JobState.Name(job.state).removeprefix("JOB_STATE_")
        yield DatedObjection(Objection(pb.OBJECTION_KIND_NOT_ENDED, f"the job is {word}"))
    for gap in history.gaps:
        yield DatedObjection(Objection(pb.OBJECTION_KIND_LOG_INCOMPLETE, gap))
    for run in job.runs:
        if history.differs(run):
            said = "the job and its log disagree about the date"
            yield DatedObjection(Objection(pb.OBJECTION_KIND_LOG_DISAGREES, said), (run.biz_date,))
    all_verified = asked and all(_is_verified(one.report) for one in judged)
    for operation in job.operations:
        yield from _of_operation(operation, history, known, all_verified=all_verified)


def _is_verified(day: pb.DateReport) -> bool:
    return day.check == pb.DATE_CHECK_VERIFIED


def _of_operation(
    operation: pb.UpstreamOperation, history: InstanceHistory, known: frozenset[int], *, all_verified: bool
) -> Iterator[DatedObjection]:
    call = f"{operation.action} {operation.index}"
    if operation.outcome in _OPEN:
        said = f"whether {call} was executed is not known"
        yield DatedObjection(Objection(pb.OBJECTION_KIND_OUTCOME_UNKNOWN, said))
    elif operation.index in history.doubted and not _is_settled(operation) and not all_verified:
        said = f"the reply to {call} was lost, and what was decided then is to be verified upstream"
        yield DatedObjection(Objection(pb.OBJECTION_KIND_OUTCOME_UNKNOWN, said))
    stray = tuple(sorted(set(operation.workflow_instance_ids) - known))
    if stray:
        said = f"{call} made instances that are of none of the dates: {', '.join(map(str, stray[:10]))}"
        yield DatedObjection(Objection(pb.OBJECTION_KIND_OUTCOME_UNKNOWN, said, stray))


def _is_settled(operation: pb.UpstreamOperation) -> bool:
    """Whether a lost reply is settled by what was found: the call was sent once, and its instances are there."""
    return operation.outcome in _FOUND and operation.attempts <= 1


def _head(job: pb.Job, now_ms: int) -> pb.JobReport:
    made = pb.JobReport(
        name=job.name,
        uid=job.uid,
        revision=job.revision,
        state=job.state,
        connection=job.connection,
        creator=job.creator,
        backfill_name=job.backfill.name,
        project_id=job.backfill.project_id,
        report_time=timestamp(now_ms),
    )
    for field in ("create_time", "start_time", "end_time", "error"):
        if job.HasField(field):
            getattr(made, field).CopyFrom(getattr(job, field))
    return made


def _totals(job: pb.Job, days: Sequence[pb.DateReport]) -> pb.ReportTotals:
    totals = pb.ReportTotals(
        dates=len(days), upstream_reads=job.usage.upstream_reads, upstream_writes=job.usage.upstream_writes
    )
    for day in days:
        _count(totals, day)
    took_ns = sum(told.took.ToNanoseconds() for day in days if not day.left_alone for told in day.instances)
    totals.run_time.FromNanoseconds(took_ns)
    return totals


def _count(totals: pb.ReportTotals, day: pb.DateReport) -> None:
    totals.succeeded_once += day.successes == 1 and (day.left_alone or day.state == pb.RUN_STATE_SUCCEEDED)
    totals.left_alone += day.left_alone
    totals.failed += day.state == pb.RUN_STATE_FAILED
    totals.stopped += day.state == pb.RUN_STATE_STOPPED
    totals.not_run += day.state == pb.RUN_STATE_SKIPPED and not day.left_alone
    totals.not_ended += day.state not in statement.ENDED
    totals.instances += sum(bool(told.workflow_instance_id) for told in day.instances if not day.left_alone)
    totals.dry_run_dates += any(told.dry_run_tasks for told in day.instances)


def _verification(days: Sequence[pb.DateReport], seen: Sightings) -> pb.ReportVerification:
    verified = sum(map(_is_verified, days))
    return pb.ReportVerification(
        start_time=timestamp(seen.start_ms),
        end_time=timestamp(seen.end_ms),
        dates_verified=verified,
        dates_not_verified=len(days) - verified,
        reads=seen.reads,
    )
