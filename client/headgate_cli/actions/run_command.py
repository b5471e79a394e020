"""Run one command against a server: connect, do it, print errors in a line or two, return the exit status."""

import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import typer

from headgate_cli.input.flag_groups import typed_flags
from headgate_cli.input.parameters import Output, ServerAccess, ServerFlags
from headgate_cli.process import signals
from headgate_cli.process.exit_codes import NOT_FOUND, REFUSED, UNAVAILABLE, USAGE, UsageFault
from headgate_cli.views.error_hints import error_hint
from headgate_cli.views.output import Printer, clean
from headgate_cli.views.violations import grouped
from headgate_client import Client, ClientOptions, HeadgateError, RetryPolicy, Tls, TokenFile

_AT_A_TERMINAL = RetryPolicy(max_attempts=4, first_delay=0.2, longest_delay=1.0, budget=5.0)

Work = Callable[[Client, Printer], Awaitable[int | None]]
"""Does something with a client and returns the exit status; None means 0."""


def act(server: ServerFlags, work: Work) -> NoReturn:
    """Run `work` with a client, and exit with its status, or with the one that its failure means."""
    reach_server(server, work, as_json=server.output is Output.JSON)


def reach_server(access: ServerAccess, work: Work, *, as_json: bool) -> NoReturn:
    """Run `work` as `act` does, for commands that have other ways to write than `--output table` and `json`."""
    raise typer.Exit(exit_status_of(access, work, as_json=as_json))


def exit_status_of(access: ServerAccess, work: Work, *, as_json: bool) -> int:
    """Run `work` as `act` does, and return the exit status: for what comes before the command itself."""
    printer = Printer(as_json=as_json)
    try:
        options = client_options(access)
        return signals.run(_act(access.target, options, work, printer))
    except UsageFault as fault:
        printer.complain(str(fault))
        return USAGE
    except HeadgateError as error:
        return complain(printer, error)
    except (OSError, ValueError) as error:
        printer.complain(str(error))
        return USAGE


async def _act(target: str, options: ClientOptions, work: Work, printer: Printer) -> int:
    async with Client(target or None, options=options) as client:
        return await work(client, printer) or 0


def client_options(server: ServerAccess) -> ClientOptions:
    """Return the client's options; OSError when a file can't be read."""
    options = dataclasses.replace(ClientOptions.from_environment(), retry=_AT_A_TERMINAL)
    if server.ca_file:
        options = dataclasses.replace(options, tls=Tls(ca=Path(server.ca_file).read_bytes()))
    elif server.tls:
        options = dataclasses.replace(options, tls=options.tls or Tls())
    if server.token_file:
        options = dataclasses.replace(options, token=TokenFile(server.token_file))
    return options


def complain(printer: Printer, error: HeadgateError) -> int:
    """Say what went wrong, which fields, and what to do next; return the exit status that it means."""
    word = error.reason or error.code.name
    printer.complain(f"{clean(error.message) or 'the call failed'} ({word})")
    for row in (*error.field_violations, *grouped(error.preconditions)):
        printer.complain_more(f"{_flag(row.subject)}{clean(row.subject)}: {clean(row.description)}")
    if next_step := error_hint(error, typed_flags.get()):
        printer.complain_more(next_step)
    return exit_status(error)


def exit_status(error: HeadgateError) -> int:
    """Return the exit status that a failed call means."""
    if error.is_invalid:
        return USAGE
    if error.is_unavailable:
        return UNAVAILABLE
    return NOT_FOUND if error.is_not_found else REFUSED


def _flag(field: str) -> str:
    # "spec.biz_dates[0].end_biz_date" was typed as --biz-dates; a caller at a terminal looks for that.
    parts = [part.partition("[")[0] for part in field.split(".")]
    known = [_FLAGS[part] for part in parts if part in _FLAGS]
    return f"{known[-1]}: " if known else ""


_FLAGS = {
    "default_run_properties": "--root-task-ids, --mode, --parallelism",
    "labels": "--label",
    "deadline_time": "--deadline",
    "ttl_after_end": "--keep",
    "max_attempts_per_date": "--max-attempts",
    "ids": "ID",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            *("project_id", "workflow_id", "name", "env_type", "biz_dates", "root_task_ids", "include_task_ids"),
            *("exclude_task_ids", "mode", "parallelism", "order", "comment", "job_id", "request_id", "priority"),
            *("deadline", "on_failure", "type", "connection", "filter", "start_revision", "max_staleness", "etag"),
        )
    },
}
