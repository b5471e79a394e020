"""Commands that read workflow instances."""

from typing import Annotated

import typer

from headgate_cli.input.flag_groups import expanded
from headgate_cli.input.parameters import ConnectionFlag, ServerFlags
from headgate_cli.input.spec_parameters import BizDates, EnvType, Name, ProjectId

_STALENESS = Annotated[
    str, typer.Option(metavar="SPAN", help="How old the answer may be, such as 30s; default: a fresh read.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("get", rich_help_panel="Workflow instances")(get)
    app.command("list", rich_help_panel="Workflow instances")(list_instances)


@expanded
def get(
    *,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Instance ids; comma lists are fine.")],
    max_staleness: _STALENESS = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show every change until all have ended.")] = False,
    connection: ConnectionFlag = "",
    server: ServerFlags,
) -> None:
    """Read workflow instances.

    Example:
    headgate get 1000341554601 --max-staleness 30s
    headgate get 1000341554601 --watch
    """
    from headgate_cli.actions import following, instances

    if watch:
        following.watch_instances(ids, connection, server)
    instances.get(ids, max_staleness, connection, server)


@expanded
def list_instances(
    *,
    project_id: ProjectId = 0,
    biz_dates: BizDates = [],  # noqa: B006 - Typer copies it
    name: Name = "",
    exact_name: Annotated[bool, typer.Option("--exact-name", help="The name must match exactly.")] = False,
    env_type: EnvType = "",
    status: Annotated[
        list[str], typer.Option(help="Only with this status, such as Running; comma lists, repeatable.")
    ] = [],  # noqa: B006
    owner: Annotated[str, typer.Option(help="Only those of this owner, by account id.")] = "",
    workflow_id: Annotated[int, typer.Option(min=0, help="Only those of this workflow.")] = 0,
    tags: Annotated[
        list[str], typer.Option("--tag", help="Only with this tag, key:value or key: for any value; repeatable.")
    ] = [],  # noqa: B006
    limit: Annotated[int, typer.Option(min=1, help="At most this many rows.")] = 200,
    connection: ConnectionFlag = "",
    server: ServerFlags,
) -> None:
    """List workflow instances of a project over business dates, oldest first.

    Example:
    headgate list --project-id 257880 --biz-dates 2025-02-05..2025-02-06 --name orders
    """
    from headgate_cli.actions import instances

    wanted = instances.InstanceListing(
        project_id, biz_dates, name, exact_name, env_type, status, owner, workflow_id, tags, connection
    )
    instances.list_instances(wanted, limit, server)
