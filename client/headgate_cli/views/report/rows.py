"""A report as values that every form of it shows: a row per instance, and what there is against the statement. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.describe import day, when
from headgate_cli.views.output import clean
from headgate_cli.views.plans import lasting

STARTERS = {
    pb.STARTED_BY_HEADGATE: "headgate",
    pb.STARTED_BY_UPSTREAM: "DataWorks",
    pb.STARTED_BY_OPERATOR: "someone else",
}
STOPPERS = {
    pb.STOPPED_BY_HEADGATE: "headgate",
    pb.STOPPED_BY_OPERATOR: "someone else",
}


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One instance of a date, or a date without one. Texts are cleaned; what is not known is empty.

    Args:
        day: the date.
        kind: "instance", "foreign" for one that the job did not make, or "none".
        instance: its id.
        attempt: which attempt at the date; 0 for a foreign one.
        state: where it stands, in plain words.
        status: upstream's own word by the log.
        started_by: who started it.
        stopped_by: who stopped it.
        began: when upstream says it started.
        ended: when upstream says it ended.
        took_seconds: how long it took; None where that is not known.
        calls: upstream's RequestIds of calls that concerned it, its create among them.
        dry_runs: tasks that did nothing.
        now: what upstream says of it now; empty where it was not asked.
        changed_by: account that changed it last.
        detail: what else there is to say.
        is_bad: whether something about its date is against the statement.
    """

    day: str
    kind: str
    instance: str
    attempt: int
    state: str
    status: str
    started_by: str
    stopped_by: str
    began: Timestamp | None
    ended: Timestamp | None
    took_seconds: float | None
    calls: Sequence[str]
    dry_runs: Sequence[str]
    now: str
    changed_by: str
    detail: str
    is_bad: bool

    @property
    def took(self) -> str:
        """How long it took, in words."""
        return lasting_seconds(self.took_seconds) if self.took_seconds is not None else ""


def rows(report: pb.JobReport) -> Iterator[ReportRow]:
    """Yield the rows of all dates, oldest first: the instances of the job, then those of others."""
    created = {one.index: [clean(text) for text in one.upstream_request_ids] for one in report.operations}
    for one in report.dates:
        if not one.instances:
            yield _without(one)
        for number, told in enumerate(one.instances):
            yield _own(one, told, created.get(told.operation_index, ()), is_last=number == len(one.instances) - 1)
        for foreign in one.foreign_instances:
            yield _foreign(one, foreign)


def _without(one: pb.DateReport) -> ReportRow:
    state = plain(one.state, pb.RunState, "RUN_STATE_")
    nothing = (None, None, None, (), (), "", "")
    return ReportRow(day(one.biz_date), "none", "", 0, state, "", "", "", *nothing, _unchecked(one), one.has_objection)


def _own(one: pb.DateReport, told: pb.ReportInstance, created: Sequence[str], *, is_last: bool) -> ReportRow:
    left_alone = one.left_alone and is_last
    return ReportRow(
        day=day(one.biz_date),
        kind="instance",
        instance=str(told.workflow_instance_id or ""),
        attempt=told.attempt,
        state="left alone" if left_alone else plain(told.state, pb.RunState, "RUN_STATE_"),
        status=clean(told.upstream_status),
        started_by=STARTERS.get(told.started_by, ""),
        stopped_by=clean(told.stopped_by_job.removeprefix("jobs/")) or STOPPERS.get(told.stopped_by, ""),
        began=told.started_time if told.HasField("started_time") else None,
        ended=told.finished_time if told.HasField("finished_time") else None,
        took_seconds=told.took.ToMilliseconds() / 1000 if told.HasField("took") else None,
        calls=(*created, *(clean(call.upstream_request_id) for call in told.upstream_calls)),
        dry_runs=tuple(map(clean, told.dry_run_tasks)),
        now=clean(told.seen.status),
        changed_by=clean(told.seen.modify_user),
        detail=_detail(one, told, is_last=is_last),
        is_bad=one.has_objection,
    )


def _detail(one: pb.DateReport, told: pb.ReportInstance, *, is_last: bool) -> str:
    said = [clean(told.error.message)] if told.error.message else []
    said += [f"task {clean(told.failed_task)} failed"] if told.failed_task else []
    said += [f"did nothing by dry run: {', '.join(map(clean, told.dry_run_tasks))}"] if told.dry_run_tasks else []
    said += [_unchecked(one)] if is_last and one.check_error else []
    return "; ".join(said)


def _unchecked(one: pb.DateReport) -> str:
    return f"not verified: {clean(one.check_error)}" if one.check_error else ""


def _foreign(one: pb.DateReport, told: pb.ForeignInstance) -> ReportRow:
    seen = told.seen
    began = seen.started_time if seen.HasField("started_time") else None
    ended = seen.finished_time if seen.HasField("finished_time") else None
    took = (ended.ToNanoseconds() - began.ToNanoseconds()) / 1e9 if began and ended else None
    by = f", created by {clean(told.create_user)}" if told.create_user else ""
    when = "ended before this job" if told.is_earlier else "not of this job"
    return ReportRow(
        day=day(one.biz_date),
        kind="foreign",
        instance=str(told.workflow_instance_id),
        attempt=0,
        state="earlier" if told.is_earlier else "foreign",
        status=clean(seen.status),
        started_by="",
        stopped_by="",
        began=began,
        ended=ended,
        took_seconds=took if took is not None and took >= 0 else None,
        calls=(),
        dry_runs=(),
        now=clean(seen.status),
        changed_by=clean(seen.modify_user),
        detail=f"{clean(told.name)}, {when}{by}",
        is_bad=not told.is_earlier,
    )


def lasting_seconds(seconds: float) -> str:
    """Return a time span in its two largest units."""
    spent = pb.ReportInstance().took
    spent.FromMilliseconds(int(seconds * 1000))
    return lasting(spent)


def objection_line(one: pb.ReportObjection) -> str:
    """Return an objection in one line: its dates as ranges, and its text."""
    days = ", ".join(ranges(one.biz_dates)) or "the job"
    return f"{days}: {clean(one.description)}"


def ranges(days: Sequence[Date]) -> Sequence[str]:
    """Return dates as ranges without gaps, as --biz-dates takes them."""
    found: list[tuple[date, date]] = []
    for one in sorted(date(of.year, of.month, of.day) for of in days):
        if found and one - found[-1][1] == timedelta(days=1):
            found[-1] = found[-1][0], one
        else:
            found.append((one, one))
    return [f"{first}..{last}" if first != last else f"{first}" for first, last in found]


def times(report: pb.JobReport) -> str:
    """Return when the job was accepted, has ended, and was reported, and in which zone all times are shown."""
    told = (("accepted", report.create_time), ("ended", report.end_time), ("reported", report.report_time))
    said = ", ".join(f"{word} {when(moment)}" for word, moment in told if moment.seconds)
    zone = report.report_time.ToDatetime(tzinfo=UTC).astimezone().strftime("%z")
    return f"{said}; times are UTC{zone[:3]}:{zone[3:]}"


def totals_line(report: pb.JobReport) -> str:
    """Return the numbers of a report in one line."""
    of = report.totals
    counted = (
        (of.succeeded_once, "succeeded once"),
        (of.left_alone, "left alone"),
        (of.failed, "failed"),
        (of.stopped, "stopped"),
        (of.not_run, "not run"),
        (of.not_ended, "not ended"),
    )
    told = ", ".join(f"{number} {word}" for number, word in counted if number)
    calls = f"{of.upstream_reads:,} reads and {of.upstream_writes:,} writes upstream"
    run_time = lasting_seconds(of.run_time.ToMilliseconds() / 1000)
    return f"{of.dates} dates: {told or 'nothing yet'}; {of.instances} instances ran for {run_time}; {calls}"


def checked_line(report: pb.JobReport) -> str:
    """Return what was asked of upstream for the report, in one line."""
    if not report.HasField("verification"):
        return "upstream was not asked; --verify asks about every date"
    of = report.verification
    seconds = (of.end_time.ToNanoseconds() - of.start_time.ToNanoseconds()) / 1e9
    left = f", {of.dates_not_verified} not" if of.dates_not_verified else ""
    return f"{of.dates_verified} dates verified{left}, by {of.reads:,} reads in {lasting_seconds(seconds)}"
