"""One date of a backfill in a report, and what of it is not one success of one instance. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.reprocess import is_left_alone
from headgate.job.lifecycle import RUN_TERMINAL
from headgate_server.reports import sightings
from headgate_server.reports.sightings import SUCCESS, DateSighting

MOST_FOREIGN: Final = 100
"""Most foreign instances that the report shows of one date."""

_BY_STATE: Final = {
    pb.RUN_STATE_FAILED: (pb.OBJECTION_KIND_FAILED, "the last instance failed"),
    pb.RUN_STATE_STOPPED: (pb.OBJECTION_KIND_STOPPED, "the last instance was stopped"),
    pb.RUN_STATE_SKIPPED: (pb.OBJECTION_KIND_NOT_RUN, "not run"),
    pb.RUN_STATE_UNRESOLVED: (pb.OBJECTION_KIND_OUTCOME_UNKNOWN, "what became of the last instance is not known"),
}
_NOT_ENDED: Final = (pb.OBJECTION_KIND_NOT_ENDED, "has not ended")
_NEVER_BEGAN: Final = frozenset({pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING, pb.RUN_STATE_CREATED})


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a date does not count as run exactly once.

    Args:
        kind: what kind of reason.
        said: one line for people; dates with the same line are shown together.
        ids: the instances that it is about.
    """

    kind: pb.ObjectionKind.ValueType
    said: str
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedDate:
    """A date as the report shows it, with its objections."""

    report: pb.DateReport
    objections: tuple[Objection, ...]


@dataclass(frozen=True, slots=True)
class DateFacts:
    """All that is known of a date.

    Args:
        job: the job.
        run: the date's row.
        instances: its instances by the log, in order.
        known: ids of the instances of all dates.
        seen: what upstream says now; None where it was not asked.
        asked: whether a verification was asked for.
    """

    job: pb.Job
    run: pb.InstanceRun
    instances: Sequence[pb.ReportInstance]
    known: frozenset[int]
    seen: DateSighting | None
    asked: bool

    @property
    def is_verified(self) -> bool:
        """Whether upstream has answered every question about the date."""
        return self.seen is not None and not self.seen.error and not self.seen.gone


def judge(facts: DateFacts) -> JudgedDate:
    """The report of one date."""
    report = pb.DateReport(
        biz_date=facts.run.biz_date,
        state=facts.run.state,
        instances=facts.instances,
        left_alone=is_left_alone(facts.run),
    )
    if facts.seen is not None:
        _tell_seen(report, facts, facts.seen)
    report.successes = len(_successes(report))
    if facts.asked:
        verified = facts.is_verified
        report.check = pb.DATE_CHECK_VERIFIED if verified else pb.DATE_CHECK_NOT_VERIFIED
        report.check_error = "" if verified else _why_not_verified(facts.seen)
    objections = tuple(found for rule in _RULES for found in rule(report, facts))
    report.has_objection = bool(objections)
    return JudgedDate(report, objections)


def _tell_seen(report: pb.DateReport, facts: DateFacts, seen: DateSighting) -> None:
    for told in report.instances:
        if told.workflow_instance_id in seen.rows:
            told.seen.CopyFrom(sightings.sighting(seen.rows[told.workflow_instance_id]))
    found = [told for told, _ in sightings.foreign(seen, facts.known, facts.job.create_time)]
    report.foreign_instances.extend(found[-MOST_FOREIGN:])


def _successes(report: pb.DateReport) -> set[int]:
    ours = {
        told.workflow_instance_id
        for told in report.instances
        if told.state == pb.RUN_STATE_SUCCEEDED
        or told.seen.status == "Success"
        or (report.left_alone and not told.HasField("seen") and told.upstream_status == "Success")
    }
    others = {
        told.workflow_instance_id
        for told in report.foreign_instances
        if not told.is_earlier and told.seen.status == "Success"
    }
    return ours | others


def _why_not_verified(seen: DateSighting | None) -> str:
    if seen is None:
        return "there was no time left for it"
    gone = ", ".join(map(str, sorted(seen.gone)[:5]))
    return seen.error or f"upstream has no instance {gone} any more"


def _end(report: pb.DateReport, facts: DateFacts) -> Iterator[Objection]:
    """What the date came to."""
    state, error = report.state, facts.run.error.message
    ids = tuple(told.workflow_instance_id for told in report.instances[-1:] if told.workflow_instance_id)
    if report.left_alone:
        if report.successes == 0:
            status = report.instances[-1].upstream_status if report.instances else ""
            said = f"left alone, and the instance that was there is {status or 'in an unknown status'}"
            yield Objection(pb.OBJECTION_KIND_NOT_RUN, said, ids)
    elif state != pb.RUN_STATE_SUCCEEDED:
        kind, said = _BY_STATE.get(state, _NOT_ENDED)
        if error and state == pb.RUN_STATE_SKIPPED:
            said = error
        elif error and (state == pb.RUN_STATE_UNRESOLVED or not ids):
            said = f"{said}: {error}"
        yield Objection(kind, said, ids)


def _earlier(report: pb.DateReport, facts: DateFacts) -> Iterator[Objection]:
    """Instances of earlier attempts that the log does not know to have ended."""
    for told in report.instances[:-1]:
        harmless = told.state in RUN_TERMINAL and told.state != pb.RUN_STATE_UNRESOLVED
        by_us = facts.job.backfill.start_mode != pb.START_MODE_UPSTREAM
        harmless = harmless or (by_us and told.state in _NEVER_BEGAN)
        settled = told.seen.status in ("Success", "Failure")
        if told.workflow_instance_id and not harmless and not settled:
            word = pb.RunState.Name(told.state).removeprefix("RUN_STATE_")
            said = f"instance {told.workflow_instance_id} of an earlier attempt was last seen {word}"
            yield Objection(pb.OBJECTION_KIND_OUTCOME_UNKNOWN, said, (told.workflow_instance_id,))


def _twice(report: pb.DateReport, _: DateFacts) -> Iterator[Objection]:
    if report.successes > 1:
        ids = tuple(sorted(_successes(report)))
        said = f"{report.successes} instances succeeded: {', '.join(map(str, ids[:10]))}"
        yield Objection(pb.OBJECTION_KIND_RAN_TWICE, said, ids)


def _foreign(report: pb.DateReport, _: DateFacts) -> Iterator[Objection]:
    for told in report.foreign_instances:
        if not told.is_earlier:
            by = f", created by {told.create_user}" if told.create_user else ""
            status = told.seen.status or "in an unknown status"
            said = f"instance {told.workflow_instance_id} is not of this job: {told.name!r}, {status}{by}"
            yield Objection(pb.OBJECTION_KIND_FOREIGN_INSTANCE, said, (told.workflow_instance_id,))


def _disagreements(report: pb.DateReport, facts: DateFacts) -> Iterator[Objection]:
    for told in report.instances if facts.seen is not None else ():
        row = facts.seen.rows.get(told.workflow_instance_id) if facts.seen is not None else None
        if row is not None and (said := sightings.disagreement(told, row, report.biz_date)):
            yield Objection(pb.OBJECTION_KIND_UPSTREAM_DISAGREES, said, (row.id,))
        elif row is not None and report.left_alone and row.status != SUCCESS:
            status = row.status_raw or "in an unknown status"
            said = f"the instance {row.id} that was left alone is {status} now"
            yield Objection(pb.OBJECTION_KIND_UPSTREAM_DISAGREES, said, (row.id,))


def _unverified(report: pb.DateReport, facts: DateFacts) -> Iterator[Objection]:
    if report.check == pb.DATE_CHECK_NOT_VERIFIED:
        gone = tuple(sorted(facts.seen.gone)) if facts.seen is not None and not facts.seen.error else ()
        yield Objection(pb.OBJECTION_KIND_NOT_VERIFIED, report.check_error, gone)


_RULES: Final[Sequence[Callable[[pb.DateReport, DateFacts], Iterator[Objection]]]] = (
    _end,
    _earlier,
    _twice,
    _foreign,
    _disagreements,
    _unverified,
)


def text(day: pb.DateReport) -> str:
    """The date as "yyyy-mm-dd"."""
    return dates.from_message(day.biz_date).isoformat()
