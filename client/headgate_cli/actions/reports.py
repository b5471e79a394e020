"""What the command about reports does: ask for one, show how far it has come, write it."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import typer
from google.protobuf.json_format import MessageToJson

from headgate import pb
from headgate_cli.actions.progress.progress_bar import ProgressBar
from headgate_cli.actions.run_command import reach_server
from headgate_cli.input.arguments import span
from headgate_cli.input.parameters import ServerAccess
from headgate_cli.process.exit_codes import JOB_NOT_SUCCEEDED, OK, UsageFault
from headgate_cli.views.output import Printer
from headgate_cli.views.report import text
from headgate_cli.views.report.comma_separated import comma_separated
from headgate_cli.views.report.markdown import markdown
from headgate_cli.views.report.page import page
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
        timeout = _checked(options)
        with ReportProgressBar(printer) as bar:
            found = await client.jobs.report(job, verify=options.verify, timeout=timeout, on_progress=bar.show)
        _write(found, options, printer)
        return OK if found.statement.holds else JOB_NOT_SUCCEEDED

    reach_server(access, work, as_json=options.form == "json")


def _checked(options: ReportOptions) -> timedelta | None:
    """Return how long a verification may last. Raises UsageFault for what could only fail after it."""
    if options.timeout and not options.verify:
        raise UsageFault("--timeout", "only a report with --verify takes long")
    if options.file and not Path(options.file).absolute().parent.is_dir():
        raise UsageFault("--file", f"there is no folder {Path(options.file).parent}")
    return span(options.timeout, "--timeout")


class ReportProgressBar(ProgressBar):
    """How far a verification has come."""

    def __init__(self, printer: Printer) -> None:
        super().__init__("verifying", printer)

    def show(self, now: pb.ReportProgress) -> None:
        """Show how far it has come."""
        self.update(now.dates_done, now.dates_total, now.waiting_for)


def _json(found: pb.JobReport) -> str:
    return f"{MessageToJson(found)}\n"


_DOCUMENTS: Mapping[str, Callable[[pb.JobReport], str]] = {
    "text": text.plain_text,
    "markdown": markdown,
    "csv": comma_separated,
    "json": _json,
    "html": page,
}


def _write(found: pb.JobReport, options: ReportOptions, printer: Printer) -> None:
    document = _DOCUMENTS[options.form]
    if options.file:
        save(Path(options.file), document(found))
        printer.note(f"the report is in {options.file}")
        printer.note(list(text.conclusion(found))[-1].plain)
    elif options.form == "text" and printer.is_live:
        _draw(found, printer)
    else:
        typer.echo(document(found), nl=False)


def _draw(found: pb.JobReport, printer: Printer) -> None:
    for line in text.head(found):
        printer.line(line)
    printer.table(text.COLUMNS, [text.row(row) for row in rows(found)])
    for note in text.notes(found):
        printer.line(note)
    for line in text.conclusion(found):
        printer.line(line)


def save(path: Path, document: str) -> None:
    """Write a file whole or not at all; OSError when it can't be written."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=path.parent, delete=False) as draft:
        try:
            draft.write(document)
            draft.flush()
            mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
            os.chmod(draft.name, mode & 0o777)
            os.replace(draft.name, path)
        except BaseException:
            os.unlink(draft.name)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
