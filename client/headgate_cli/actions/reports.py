"""What the command about reports does: ask for one, show how far it has come, write it."""

import sys
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from headgate import pb
from headgate_cli.actions.run_command import reach_server
from headgate_cli.input.arguments import span
from headgate_cli.input.parameters import ServerAccess
from headgate_cli.process.exit_codes import JOB_NOT_SUCCEEDED, OK, UsageFault
from headgate_cli.views.output import Printer, clean
from headgate_cli.views.report import text
from headgate_cli.views.report.rows import rows
from headgate_client import Client


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How a report is to be, as typed."""

    verify: bool
    timeout: str
    form: str
    file: str


def report(job: str, options: ReportOptions, access: ServerAccess) -> None:
    """Write a report, and exit by its statement."""

    async def work(client: Client, printer: Printer) -> int:
        if options.timeout and not options.verify:
            raise UsageFault("--timeout", "only a report with --verify takes long")
        timeout = span(options.timeout, "--timeout")
        with _Bar(printer) as bar:
            found = await client.jobs.report(job, verify=options.verify, timeout=timeout, on_progress=bar.show)
        _write(found, options, printer)
        return OK if found.statement.holds else JOB_NOT_SUCCEEDED

    reach_server(access, work, as_json=options.form == "json")


class _Bar:
    """How far a verification has come: a bar on standard error at a terminal, nothing in a pipe."""

    def __init__(self, printer: Printer) -> None:
        columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn("dates"), TimeElapsedColumn())
        waiting = TextColumn("{task.description}", style="dim")
        self._drawn = printer.errors.is_terminal and sys.stderr.isatty()
        self._progress = Progress(*columns, waiting, console=printer.errors, transient=True)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._progress.stop()

    def show(self, now: pb.ReportProgress) -> None:
        """Show how far it has come."""
        if self._drawn:
            self._progress.start()
            waiting = clean(now.waiting_for)
            self._progress.update(self._task, total=now.dates_total, completed=now.dates_done, description=waiting)


def _write(found: pb.JobReport, options: ReportOptions, printer: Printer) -> None:
    if options.form == "json":
        return printer.document(found)
    for line in text.head(found):
        printer.line(line)
    printer.table(text.COLUMNS, [text.row(row) for row in rows(found)])
    for note in text.notes(found):
        printer.line(note)
    for line in text.conclusion(found):
        printer.line(line)
    return None
