"""Commands about EnOS batch flows."""

from typing import Annotated

import typer

from headgate_cli.input.flag_groups import expanded
from headgate_cli.input.parameters import ConnectionFlag, ServerFlags, SubmitFlags

_STALENESS = Annotated[
    str, typer.Option(metavar="SPAN", help="How old the answer may be, such as 30s; default: a fresh read.")
]
_INSTANCE = Annotated[str, typer.Argument(metavar="INSTANCE", help="Flow instance id.")]

flow = typer.Typer(help="EnOS batch flows.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application; `flows` is an older name of the group."""
    app.add_typer(flow, name="flow", rich_help_panel="EnOS flows")
    app.add_typer(flow, name="flows", hidden=True)


@flow.command("get")
@expanded
def get(
    *, instance_id: _INSTANCE, max_staleness: _STALENESS = "", connection: ConnectionFlag = "", server: ServerFlags
) -> None:
    """Read a flow instance and its tasks.

    Example:
    headgate flow get 2809-20190808093200
    """
    from headgate_cli.actions import flows

    flows.get(instance_id, max_staleness, connection, server)


@flow.command("list")
@expanded
def list_flows(
    *,
    days: Annotated[str, typer.Option(metavar="DATES", help="Trigger dates, UTC, such as 2025-02-05..2025-02-06.")],
    type: Annotated[str, typer.Option(help="Manual, Periodic or Temporary; default Periodic.")] = "",
    name: Annotated[str, typer.Option(help="Search expression, such as a flow's name.")] = "",
    owner: Annotated[str, typer.Option(help="Only this owner's.")] = "",
    status: Annotated[
        list[str], typer.Option(help="Only with this status, such as Running; comma lists, repeatable.")
    ] = [],  # noqa: B006 - Typer copies it
    limit: Annotated[int, typer.Option(min=1, help="At most this many rows.")] = 200,
    connection: ConnectionFlag = "",
    server: ServerFlags,
) -> None:
    """List the flow instances of a window of trigger times.

    Example:
    headgate flow list --days 2025-02-05..2025-02-06 --type Manual
    """
    from headgate_cli.actions import flows

    flows.list_flows(flows.FlowListing(days, type, name, owner, status, connection), limit, server)


@flow.command("trigger")
@expanded
def trigger(
    *,
    flow_id: Annotated[int, typer.Argument(metavar="FLOW", help="Flow id.")],
    parameter: Annotated[list[str], typer.Option(metavar="KEY=VALUE", help="Parameter of this run; repeatable.")] = [],  # noqa: B006
    from_task_id: Annotated[int, typer.Option(help="Begin at this task; needs API v2.1.", show_default=False)] = 0,
    trigger_time: Annotated[
        str, typer.Option(metavar="TIME", help="When it is to run, such as 2025-02-05T08:00:00+08:00; default: now.")
    ] = "",
    submission: SubmitFlags,
    server: ServerFlags,
) -> None:
    """Trigger a flow and follow its instance.

    Example:
    headgate flow trigger 2809 --parameter day=2025-02-05 --wait
    """
    from headgate_cli.actions import flows

    flows.trigger(flows.Trigger(flow_id, parameter, from_task_id, trigger_time), submission, server)


@flow.command("cancel")
@expanded
def cancel(*, instance_id: _INSTANCE, submission: SubmitFlags, server: ServerFlags) -> None:
    """Cancel a flow instance and follow it to its end."""
    from headgate_cli.actions import flows

    flows.cancel(instance_id, submission, server)


@flow.command("watch")
@expanded
def watch(
    *,
    instance_ids: Annotated[list[str], typer.Argument(metavar="INSTANCE...", help="Flow instance ids.")],
    connection: ConnectionFlag = "",
    server: ServerFlags,
) -> None:
    """Watch flow instances, of any job or none, until all have ended."""
    from headgate_cli.actions import flows

    flows.watch(instance_ids, connection, server)


@flow.command("logs")
@expanded
def logs(
    *,
    task_instance_id: Annotated[str, typer.Argument(metavar="TASK_INSTANCE", help="Task instance id, see `flow get`.")],
    max_length: Annotated[int, typer.Option(help="Most bytes to show; 0 means 64 KiB.", show_default=False)] = 0,
    connection: ConnectionFlag = "",
    server: ServerFlags,
) -> None:
    """Show the log of a flow's task instance."""
    from headgate_cli.actions import flows

    flows.logs(task_instance_id, max_length, connection, server)
