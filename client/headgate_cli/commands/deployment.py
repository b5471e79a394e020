"""Commands about the deployment: the processes, everything on one machine, the demo, facts."""

from typing import Annotated

import typer

from headgate_cli.commands.job_argument import complete_job
from headgate_cli.input.flag_groups import expanded
from headgate_cli.input.parameters import ConnectionFlag, ServerFlags
from headgate_cli.process.launch import PROCESSES, launch

_PROCESSES = "Processes"
_HERE = "On this machine"
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(rich_help_panel=_HERE)(demo)
    app.command(rich_help_panel=_HERE)(dev)
    for name in PROCESSES:
        _register_process(app, name)
    app.command(rich_help_panel="Deployment")(info)
    app.command(rich_help_panel="Deployment")(quota)
    app.command(rich_help_panel="Deployment")(fsck)


def _register_process(app: typer.Typer, name: str) -> None:
    # Only for help and for embedding: main.py launches processes before this module is loaded.
    def run(context: typer.Context) -> None:
        raise typer.Exit(launch(name, context.args))

    purposes = {
        "server": "Run a gRPC server; settings by HEADGATE_* variables.",
        "worker": "Run a worker, which talks to the cloud.",
        "emulator": "Run a DataWorks that lives on this machine.",
    }
    app.command(name, help=purposes[name], context_settings=_PASSED_ON, rich_help_panel=_PROCESSES)(run)


def demo(
    *,
    year: Annotated[bool, typer.Option("--year", help="A year's dates, ten side by side, and their report.")] = False,
    dates: Annotated[int, typer.Option(min=10, max=366, help="How many dates, with --year.")] = 365,
    run_seconds: Annotated[
        float | None,
        typer.Option(min=0.5, max=60, help="How long each date runs, emulated; default 6, with --year 2.5."),
    ] = None,
) -> None:
    """Start everything, run the backfill of two business dates, show it live, stop everything.

    With --year it is 365 dates, of which three fail and one is slow, and takes two minutes; the report goes to a file.
    Needs no account and no server; nothing else is left behind.

    Example:
    headgate demo --year
    """
    if year:
        from headgate_cli.actions.demo_year import demo_year

        raise typer.Exit(demo_year(dates, run_seconds or 2.5))
    from headgate_cli.actions.demo import demo

    raise typer.Exit(demo(run_seconds or 6.0))


def dev(
    *,
    listen: Annotated[str, typer.Option(help="gRPC address; port 0: a free one.")] = "127.0.0.1:50051",
    ops_listen: Annotated[str, typer.Option(help="Address of health and metrics.")] = "127.0.0.1:8080",
    emulator_listen: Annotated[str, typer.Option(help="Address of the emulator.")] = "127.0.0.1:18080",
    redis_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the embedded Redis; 0: free.")] = 0,
    redis_url: Annotated[str, typer.Option(help="A Redis to use instead of an embedded one.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=16, help="How many workers.")] = 1,
    run_seconds: Annotated[
        float | None, typer.Option(min=0, help="How long each date runs, emulated; default 5, or as the scenario says.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(metavar="FILE", help="How the emulator behaves: a TOML file, or a shipped scenario's name.")
    ] = "",
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Take free ports everywhere.")] = False,
) -> None:
    """Run Redis, emulator, server and workers together until Ctrl-C; HEADGATE_* variables are handed on to them.

    Example:
    headgate dev --free-ports --workers 2
    headgate dev --scenario slow-parents.toml
    """
    import os

    from headgate_cli.actions.dev import dev
    from headgate_cli.dev.deployment import DeploymentOptions
    from headgate_cli.dev.inheritance import emulated, inherited

    free = "127.0.0.1:0"
    options = DeploymentOptions(
        listen=free if free_ports else listen,
        ops_listen=free if free_ports else ops_listen,
        emulator_listen=free if free_ports else emulator_listen,
        redis_port=redis_port,
        redis_url=redis_url,
        workers=workers,
        environment=emulated(run_seconds, scenario, os.environ),
        inherited=inherited(os.environ),
    )
    raise typer.Exit(dev(options))


@expanded
def info(*, server: ServerFlags) -> None:
    """Show the server's version, limits and features."""
    from headgate_cli.actions import admin

    admin.info(server)


@expanded
def quota(*, connection: ConnectionFlag = "", server: ServerFlags) -> None:
    """Show how the shared upstream quota stands."""
    from headgate_cli.actions import admin

    admin.quota(connection, server)


@expanded
def fsck(
    *,
    job: Annotated[
        str,
        typer.Argument(
            metavar="[JOB]", help="Only this one; default: all that there are.", autocompletion=complete_job
        ),
    ] = "",
    server: ServerFlags,
) -> None:
    """Check that each job is the fold of its log, and stands in the indexes of its state; nothing is written.

    The exit status is 1 where something is not as it has to be.

    Example:
    headgate fsck orders-2025
    """
    from headgate_cli.actions import admin

    admin.fsck(job, server)
