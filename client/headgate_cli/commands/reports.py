"""The command that reports what a backfill has done."""

from enum import StrEnum
from typing import Annotated

import typer

from headgate_cli.commands.job_argument import JobArgument
from headgate_cli.input.flag_groups import expanded
from headgate_cli.input.parameters import ServerAccess


class ReportForm(StrEnum):
    """How a report is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


@expanded
def report(
    *,
    job: JobArgument,
    verify: Annotated[
        bool, typer.Option("--verify", help="Ask upstream about every date now, about a read each, inside the quota.")
    ] = False,
    timeout: Annotated[
        str, typer.Option(metavar="SPAN", help="With --verify: what is left by then stays unverified; default 1h.")
    ] = "",
    output: Annotated[ReportForm, typer.Option("--output", "-o", help="How it is written.")] = ReportForm.TEXT,
    file: Annotated[str, typer.Option("--file", help="Write it there instead of to standard output.")] = "",
    access: ServerAccess,
) -> None:
    """Report date by date what a backfill did, and whether each date succeeded exactly once.

    The exit status is 0 where that is so, and 1 where it is not, or is not known.

    Example:
    headgate report orders-2025 --verify
    headgate report orders-2025 --verify -o html --file orders-2025.html
    """
    from headgate_cli.actions import reports

    reports.report(job, reports.ReportOptions(verify, timeout, output.value, file), access)
