"""Ask a person at a terminal before something that can't be taken back; a script is not asked.

Before the question stands what would happen, by the job as it is now.
"""

import sys

import typer

from headgate import pb
from headgate_cli.actions.run_command import exit_status_of
from headgate_cli.input.parameters import Output, ServerFlags
from headgate_cli.process.exit_codes import INTERRUPTED
from headgate_cli.views.output import Printer
from headgate_cli.views.previews import Preview
from headgate_client import Client, HeadgateError

_UNREADABLE = "JOB_DAMAGED"


def confirm(question: str, job: str, preview: Preview, server: ServerFlags, *, is_agreed: bool) -> None:
    """Show what would happen and ask, unless --yes has answered or no person is at a terminal.

    Exits when the answer is no, and with the status of the failure where the job can't be read. The question is asked
    outside of any running loop, so that Ctrl-C answers too.
    """
    is_person = sys.stdin.isatty() and sys.stdout.isatty() and server.output is Output.TABLE
    if is_agreed or not is_person:
        return

    async def tell(client: Client, printer: Printer) -> None:
        for line in await _preview(client, job, preview):
            typer.echo(line, err=True)

    if status := exit_status_of(server, tell, as_json=False):
        raise typer.Exit(status)
    if not typer.confirm(question, err=True):
        typer.echo("headgate: nothing was done", err=True)
        raise typer.Exit(INTERRUPTED)


async def _preview(client: Client, job: str, preview: Preview) -> list[str]:
    try:
        return list(preview(await client.jobs.get(job, view=pb.JOB_VIEW_BASIC)))
    except HeadgateError as error:
        if error.reason != _UNREADABLE:
            raise
        return [f"{job} can't be read any more: {error.message}"]  # and can be deleted all the same
