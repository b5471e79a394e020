"""A report as Markdown, such as for a ticket. Whatever upstream or a caller said is text there, never markup."""

import re
from collections.abc import Iterator, Sequence

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.describe import when
from headgate_cli.views.output import clean
from headgate_cli.views.report.rows import ReportRow, checked_line, objection_line, rows, times, totals_line

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#!])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

_COLUMNS = ("date", "instance", "try", "state", "started by", "stopped by", "began", "ended", "took", "now", "detail")


def markdown(report: pb.JobReport) -> str:
    """Return the report as a Markdown document."""
    return "".join(f"{line}\n" for line in _lines(report))


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in a table, too."""
    return _SPECIAL.sub(r"\\\1", clean(text).translate(_ENTITIES))


def _lines(report: pb.JobReport) -> Iterator[str]:
    mark = "✔" if report.statement.holds else "✘"
    yield f"# Report of {escaped(report.name)}"
    yield ""
    yield f"**{mark} {escaped(report.statement.text)}**"
    yield ""
    yield from (f"* {escaped(line)}" for line in (_about(report), totals_line(report), checked_line(report)))
    yield from _section("What is not so", map(_objection, report.statement.objections))
    yield from _section("Dates", _table(_COLUMNS, map(_row, rows(report))))
    yield from _section("Calls", _table(("call", "outcome", "operation", "requests"), map(_call, report.operations)))
    yield from _section("Notes", _notes(report))


def _about(report: pb.JobReport) -> str:
    state = plain(report.state, pb.JobState, "JOB_STATE_")
    return f"backfill {report.backfill_name}, {state}, submitted by {report.creator}; {times(report)}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", f"## {title}", "", *found)


def _objection(one: pb.ReportObjection) -> str:
    return f"* **{plain(one.kind, pb.ObjectionKind, 'OBJECTION_KIND_')}** {escaped(objection_line(one))}"


def _table(columns: Sequence[str], cells: Iterator[Sequence[str]]) -> Iterator[str]:
    found = [f"| {' | '.join(map(escaped, row))} |" for row in cells]
    if found:
        yield f"| {' | '.join(columns)} |"
        yield f"|{'---|' * len(columns)}"
        yield from found


def _row(of: ReportRow) -> Sequence[str]:
    moments = [when(moment) if moment is not None else "" for moment in (of.began, of.ended)]
    about = (str(of.attempt or ""), of.state, of.started_by, of.stopped_by, *moments, of.took)
    return (of.day, of.instance, *about, of.now, of.detail)


def _call(one: pb.UpstreamOperation) -> Sequence[str]:
    outcome = plain(one.outcome, pb.OperationOutcome, "OPERATION_OUTCOME_")
    sent = f"{one.action} {one.index}, sent {one.attempts} time{'' if one.attempts == 1 else 's'} as {one.marker}"
    return sent, outcome, one.operation_id, " ".join(one.upstream_request_ids)


def _notes(report: pb.JobReport) -> Iterator[str]:
    for note in report.notes:
        what = plain(note.type, pb.EventType, "EVENT_TYPE_")
        said = escaped(f"{when(note.event_time)} {what} by {note.actor}: {note.message}")
        yield f"* {said}"
