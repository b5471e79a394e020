"""Ask a person at a terminal before something that can't be taken back; a script is not asked."""

import sys

import typer

from headgate_cli.input.parameters import Output, ServerFlags
from headgate_cli.process.exit_codes import INTERRUPTED


def confirm(question: str, server: ServerFlags, *, is_agreed: bool) -> None:
    """Ask, unless the answer was given by --yes or nobody is there to ask; exit when the answer is no.

    Asked before anything runs, so that Ctrl-C answers too.
    """
    is_person = sys.stdin.isatty() and sys.stdout.isatty() and server.output is Output.TABLE
    if is_agreed or not is_person:
        return
    if not typer.confirm(question, err=True):
        typer.echo("headgate: nothing was done", err=True)
        raise typer.Exit(INTERRUPTED)
