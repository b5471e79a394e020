"""The statement of a report: that each date succeeded exactly once, or what is not so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from google.type.date_pb2 import Date

from headgate import pb
from headgate_server.reports.date_report import Objection

MOST_IDS: Final = 50
"""Most instances that one objection names."""

MOST_SENTENCES: Final = 5
"""Most objections about the job as a whole that the statement's line names."""

ENDED: Final = frozenset({pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, pb.RUN_STATE_STOPPED, pb.RUN_STATE_SKIPPED})
"""States of dates that have ended, and of which that is known."""

_WORDS: Final = {
    pb.OBJECTION_KIND_FAILED: "failed",
    pb.OBJECTION_KIND_STOPPED: "stopped",
    pb.OBJECTION_KIND_NOT_RUN: "not run",
    pb.OBJECTION_KIND_NOT_ENDED: "not ended",
    pb.OBJECTION_KIND_RAN_TWICE: "succeeded more than once",
    pb.OBJECTION_KIND_FOREIGN_INSTANCE: "with an instance of someone else",
    pb.OBJECTION_KIND_UPSTREAM_DISAGREES: "told otherwise by upstream",
    pb.OBJECTION_KIND_NOT_VERIFIED: "not verified",
    pb.OBJECTION_KIND_OUTCOME_UNKNOWN: "with an unknown outcome",
    pb.OBJECTION_KIND_LOG_INCOMPLETE: "with an incomplete log",
    pb.OBJECTION_KIND_LOG_DISAGREES: "told otherwise by the log",
}


@dataclass(frozen=True, slots=True)
class DatedObjection:
    """An objection and the dates that it is about; none for one that is about the job as a whole."""

    objection: Objection
    days: tuple[Date, ...] = ()


def of(report: pb.JobReport, objections: Iterable[DatedObjection]) -> pb.ReportStatement:
    """The statement of a report whose numbers are there already."""
    told = _grouped(objections)
    made = pb.ReportStatement(
        holds=not told and len(report.dates) > 0,
        basis=pb.REPORT_BASIS_UPSTREAM if _is_verified(report) else pb.REPORT_BASIS_LOG,
        objections=told,
    )
    made.text = f"{_said(report, told) if told else _holds(report)}; {_basis(report)}"
    return made


def _grouped(objections: Iterable[DatedObjection]) -> Sequence[pb.ReportObjection]:
    """The objections, those of several dates in the same words merged into one."""
    groups: dict[tuple[int, str], pb.ReportObjection] = {}
    for one in objections:
        found = one.objection
        said = groups.setdefault((found.kind, found.said), pb.ReportObjection(kind=found.kind, description=found.said))
        said.biz_dates.extend(one.days)
        said.workflow_instance_ids.extend(found.ids[: MOST_IDS - len(said.workflow_instance_ids)])
    return sorted(groups.values(), key=lambda said: said.kind)


def _holds(report: pb.JobReport) -> str:
    totals = report.totals
    said = f"each of {_counted(totals.dates)} succeeded exactly once"
    if totals.left_alone:
        said += f", {totals.left_alone} of them before this backfill, which left them alone"
    if totals.dry_run_dates:
        said += f"; in {_counted(totals.dry_run_dates)} tasks were ended by dry run, and did nothing"
    return said


def _said(report: pb.JobReport, objections: Sequence[pb.ReportObjection]) -> str:
    days: dict[int, set[bytes]] = {}
    for one in objections:
        days.setdefault(one.kind, set()).update(day.SerializeToString() for day in one.biz_dates)
    parts = [f"{len(found)} {_WORDS[pb.ObjectionKind.ValueType(kind)]}" for kind, found in days.items() if found]
    parts += [one.description for one in objections if not one.biz_dates][:MOST_SENTENCES]
    return f"not shown that each of {_counted(report.totals.dates)} succeeded exactly once: {'; '.join(parts)}"


def _basis(report: pb.JobReport) -> str:
    if not report.HasField("verification"):
        return "by the log, upstream was not asked"
    verified = report.verification.dates_verified
    if _is_verified(report):
        return f"upstream was asked about every date, until {report.verification.end_time.ToJsonString()}"
    return f"upstream was asked about {verified} of {_counted(report.totals.dates)}"


def _is_verified(report: pb.JobReport) -> bool:
    return report.HasField("verification") and report.verification.dates_verified == report.totals.dates


def _counted(number: int) -> str:
    return f"{number} date{'' if number == 1 else 's'}"
