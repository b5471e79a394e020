"""A report as text: drawn at a terminal, aligned columns in a pipe. Pure: a report in, lines out."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.describe import styled, when
from headgate_cli.views.output import aligned, clean
from headgate_cli.views.report.rows import ReportRow, checked_line, objection_line, rows, times, totals_line

COLUMNS = ("BIZ DATE", "INSTANCE", "TRY", "STATE", "STARTED BY", "BEGAN", "ENDED", "TOOK", "NOW", "DETAIL")
"""Of the table of instances."""


def head(report: pb.JobReport) -> Iterator[Text]:
    """Yield what the report is about: the job, its times, who submitted it."""
    state = plain(report.state, pb.JobState, "JOB_STATE_")
    about = f" backfill {clean(report.backfill_name)}, {len(report.dates)} dates"
    yield Text.assemble((report.name, "bold"), " ", styled(state), about)
    yield Text(times(report))
    yield Text(f"revision {report.revision}, submitted by {clean(report.creator)}")


def plain_text(report: pb.JobReport) -> str:
    """Return the whole report as plain text, as in a pipe."""
    table = aligned(COLUMNS, [row(of) for of in rows(report)])
    lines = (*head(report), *table, *notes(report), *conclusion(report))
    return "".join(f"{line}\n" for line in lines)


def row(of: ReportRow) -> Sequence[str | Text]:
    """Return an instance as a row of COLUMNS."""
    stopped = f"stopped by {of.stopped_by}" if of.stopped_by else ""
    return (
        of.day,
        of.instance,
        str(of.attempt or ""),
        styled(of.state) if not (of.kind == "foreign" and of.is_bad) else Text(of.state, style="bold red"),
        of.started_by,
        when(of.began) if of.began is not None else "",
        when(of.ended) if of.ended is not None else "",
        of.took,
        of.now,
        "; ".join(part for part in (stopped, of.detail) if part),
    )


def notes(report: pb.JobReport) -> Iterator[str]:
    """Yield what a person should know of the log."""
    if report.notes_omitted:
        yield f"{report.notes_omitted} notes before these are left out; see headgate jobs events"
    for note in report.notes:
        what = plain(note.type, pb.EventType, "EVENT_TYPE_")
        yield f"#{note.revision} {when(note.event_time)} {what} by {clean(note.actor)}: {clean(note.message)}"


def conclusion(report: pb.JobReport) -> Iterator[Text]:
    """Yield the numbers, what is against the statement, and the statement itself, which stands last."""
    yield Text(totals_line(report))
    yield Text(checked_line(report))
    for one in report.statement.objections:
        word = plain(one.kind, pb.ObjectionKind, "OBJECTION_KIND_")
        yield Text.assemble((f"{word}: ", "bold red"), objection_line(one))
    holds = report.statement.holds
    mark = Text("✔ ", style="bold green") if holds else Text("✘ ", style="bold red")
    yield Text.assemble(mark, (clean(report.statement.text), "bold"))
