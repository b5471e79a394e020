"""Commands about tokens of callers. They ask no server: the operator puts what they print into a file."""

from typing import Annotated

import typer

token = typer.Typer(help="Tokens of callers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(token, name="token", rich_help_panel="Deployment")


@token.command("create")
def create(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the caller: small letters, digits and -.")],
    right: Annotated[
        list[str],
        typer.Option(
            help="read, plan, payloads (of all jobs, and logs), or write, which may read and plan too; default write. "
            "Repeatable."
        ),
    ] = [],  # noqa: B006 - Typer copies it
    connection: Annotated[
        list[str],
        typer.Option(help="Only on this connection; '' is the default one. Repeatable; default: on all."),
    ] = [],  # noqa: B006 - Typer copies it
    expires: Annotated[
        str, typer.Option(metavar="SPAN", help="How long it holds, such as 90d; default: for ever.")
    ] = "",
    token_file: Annotated[
        str, typer.Option(help="New file that gets the token; default: it is shown on standard error.")
    ] = "",
) -> None:
    """Make a token, and write the entry of its caller for the server's HEADGATE_CALLERS.

    The entry holds a digest. The token itself is kept nowhere, and shown this once.

    Example:
    headgate token create scheduler --expires 90d --token-file scheduler.token >> callers.toml
    """
    from headgate_cli.actions import tokens

    raise typer.Exit(tokens.create(name, right, connection, expires, token_file))
