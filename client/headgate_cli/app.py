"""The command line as a whole. Importing this loads Typer and no client, so that help is fast."""

from importlib import metadata
from typing import Annotated

import typer

from headgate_cli.commands import deployment, flows, instances, jobs, submits, tasks, tokens
from headgate_cli.process.exit_codes import EXIT_STATUSES

_EXITS = "  ".join(f"{status}: {meaning}." for status, meaning in EXIT_STATUSES.items())

app = typer.Typer(
    help="Workflow runs over gRPC: durable jobs, every change streamed back.",
    epilog=f"Exit status. {_EXITS}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"headgate {metadata.version('headgate')}")
        raise typer.Exit


@app.callback()
def headgate(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version of this command.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Workflow runs over gRPC: durable jobs, every change streamed back."""


submits.register(app)
jobs.register(app)
instances.register(app)
tasks.register(app)
flows.register(app)
deployment.register(app)
tokens.register(app)
