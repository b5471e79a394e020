"""Flags that several commands share."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import typer

_JOB = "Job"
_SERVER = "Server"


class Output(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"


OutputFlag = Annotated[
    Output,
    typer.Option("--output", "-o", help="table, or json: proto JSON, one document (streams: one a line)."),
]


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """How to reach the server."""

    target: Annotated[
        str,
        typer.Option(
            help="Address of the server; default 127.0.0.1:50051.",
            envvar="HEADGATE_TARGET",
            metavar="HOST:PORT",
            rich_help_panel=_SERVER,
        ),
    ] = ""
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt.", envvar="HEADGATE_TLS", rich_help_panel=_SERVER)] = False
    ca_file: Annotated[
        str, typer.Option(help="Certificates to trust, PEM; implies --tls.", rich_help_panel=_SERVER)
    ] = ""
    token_file: Annotated[
        str,
        typer.Option(
            help="File with the bearer token; else HEADGATE_TOKEN or HEADGATE_TOKEN_FILE.", rich_help_panel=_SERVER
        ),
    ] = ""


@dataclass(frozen=True, slots=True)
class ServerFlags(ServerAccess):
    """How to reach the server, and how to write what it says."""

    output: OutputFlag = Output.TABLE


ConnectionFlag = Annotated[
    str, typer.Option("--connection", help="Cloud account, region or organisation; empty: the default one.")
]


YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; without it a person at a terminal is asked.")]
EtagFlag = Annotated[str, typer.Option("--etag", help="Only if the job has not changed since it was read.")]
ReasonFlag = Annotated[str, typer.Option("--reason", help="Why; kept on the job.")]


@dataclass(frozen=True, slots=True)
class ChangeFlags:
    """What can be changed of a job that goes on; empty, and -1, leave it as it is."""

    priority: Annotated[
        int, typer.Option(min=-1, max=9, help="0 to 9, larger is more urgent.", show_default=False)
    ] = -1
    label: Annotated[
        list[str],
        typer.Option(metavar="KEY=VALUE", help="All labels from now on; repeatable. Empty: none."),
    ] = field(default_factory=list)
    deadline: Annotated[
        str, typer.Option(metavar="SPAN", help="How long the job may take from now on, such as 12h.")
    ] = ""
    keep: Annotated[str, typer.Option(metavar="SPAN", help="How long it is kept after its end, such as 30d.")] = ""
    parallelism: Annotated[
        int, typer.Option(help="Dates side by side, 1 to 10, of what is not created yet.", show_default=False)
    ] = 0
    max_attempts: Annotated[
        int, typer.Option(help="How often a failed date is tried in all, 1 to 10.", show_default=False)
    ] = 0
    on_failure: Annotated[str, typer.Option(help="What a failed date does to the others: Halt, Continue, Drain.")] = ""
    request_id: Annotated[str, typer.Option(help="Makes it safe to repeat; default: a fresh one.")] = ""


@dataclass(frozen=True, slots=True)
class SubmitFlags:
    """Fields of a submit that every kind of job has, and whether to wait for the job."""

    job_id: Annotated[
        str,
        typer.Option(
            help="Id of the job: small letters, digits and -; default: headgate chooses.", rich_help_panel=_JOB
        ),
    ] = ""
    request_id: Annotated[
        str,
        typer.Option(
            help="Makes the submit safe to repeat; default: a fresh one.",
            rich_help_panel=_JOB,
        ),
    ] = ""
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Watch until the job has ended.", rich_help_panel=_JOB),
    ] = False
    label: Annotated[list[str], typer.Option(metavar="KEY=VALUE", help="Label; repeatable.", rich_help_panel=_JOB)] = (
        field(default_factory=list)
    )
    priority: Annotated[
        int, typer.Option(min=0, max=9, help="0 to 9, larger is more urgent.", rich_help_panel=_JOB)
    ] = 0
    deadline: Annotated[
        str,
        typer.Option(metavar="SPAN", help="How long it may take, such as 90m; default 7d.", rich_help_panel=_JOB),
    ] = ""
    until: Annotated[str, typer.Option(help="How far it goes: Accepted, Started, Finished.", rich_help_panel=_JOB)] = ""
    validate_only: Annotated[
        bool,
        typer.Option("--validate-only", help="Check and show, record nothing.", rich_help_panel=_JOB),
    ] = False
    connection: ConnectionFlag = ""
