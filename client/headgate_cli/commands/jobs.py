"""Commands about jobs: find, watch, change."""

from typing import Annotated

import typer

from headgate_cli.commands.job_argument import JobArgument, complete_job
from headgate_cli.commands.reports import report
from headgate_cli.input.flag_groups import expanded
from headgate_cli.input.parameters import ChangeFlags, EtagFlag, ReasonFlag, ServerFlags, YesFlag

_CANCEL_MODE = Annotated[
    str, typer.Option("--mode", help="Stop: stop all (default). Drain: start nothing more. Detach: let go.")
]
_PANEL = "Jobs"

jobs = typer.Typer(help="Find, watch and steer jobs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(jobs, name="jobs", rich_help_panel=_PANEL)
    for command in (watch, cancel, explain, report):  # what is typed most often has a short form
        app.command(rich_help_panel=_PANEL)(command)
        jobs.command()(command)


@jobs.command("list")
@expanded
def list_jobs(
    *,
    filter: Annotated[str, typer.Option(help='Such as: state = RUNNING AND labels.team = "orders".')] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many rows.")] = 50,
    view: Annotated[str, typer.Option(help="Basic (default) or Full, with payloads such as scripts.")] = "",
    server: ServerFlags,
) -> None:
    """List jobs, newest first.

    Example:
    headgate jobs list --filter 'state = RUNNING'
    """
    from headgate_cli.actions import jobs

    jobs.list_jobs(filter, limit, view, server)


@jobs.command()
@expanded
def get(
    *,
    job: JobArgument,
    view: Annotated[str, typer.Option(help="Full (default) or Basic: without payloads such as scripts.")] = "",
    server: ServerFlags,
) -> None:
    """Show a job as it stands."""
    from headgate_cli.actions import jobs

    jobs.get(job, view, server)


@expanded
def watch(
    *,
    job: Annotated[
        str,
        typer.Argument(metavar="[JOB]", help="Job id or name, such as orders-2025.", autocompletion=complete_job),
    ] = "",
    start_revision: Annotated[
        int, typer.Option(min=0, help="First revision to show; 0: the job as it stands, then what follows.")
    ] = 1,
    all: Annotated[bool, typer.Option("--all", help="All jobs instead of one, until Ctrl-C.")] = False,
    filter: Annotated[str, typer.Option(help='With --all: only these, such as: labels.team = "orders".')] = "",
    resume_token: Annotated[str, typer.Option(help="With --all: go on where an earlier watch ended.")] = "",
    gantt: Annotated[
        bool, typer.Option("--gantt", help="Draw who ran when, in lanes; in a pipe once, when the job has ended.")
    ] = False,
    at: Annotated[int, typer.Option(min=0, help="Show the job as it was at this revision, and do not wait.")] = 0,
    server: ServerFlags,
) -> None:
    """Follow a job until it ends, or all jobs; Ctrl-C ends the watching, never a job.

    Example:
    headgate watch orders-2025
    headgate watch orders-2025 --gantt
    headgate watch --all --filter 'labels.team = "orders"'
    """
    from headgate_cli.actions import chart, following, jobs

    if all:
        following.watch_all(job, filter, resume_token, gantt or bool(at), server)
    elif gantt or at:
        chart.watch(job, at, gantt, filter or resume_token, server)
    else:
        jobs.watch(job, start_revision, filter or resume_token, server)


@jobs.command()
@expanded
def events(
    *,
    job: JobArgument,
    start_revision: Annotated[int, typer.Option(min=1, help="First revision to show.")] = 1,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more until the job ends; works without streams.")
    ] = False,
    server: ServerFlags,
) -> None:
    """Show a job's event log."""
    from headgate_cli.actions import jobs

    jobs.events(job, start_revision, follow, server)


@expanded
def cancel(
    *,
    job: JobArgument,
    mode: _CANCEL_MODE = "",
    reason: ReasonFlag = "",
    etag: EtagFlag = "",
    yes: YesFlag = False,
    server: ServerFlags,
) -> None:
    """Ask for the end of a job; it is CANCELLING until upstream confirms.

    Example:
    headgate cancel orders-2025 --reason "wrong dates"
    """
    from headgate_cli.actions import jobs
    from headgate_cli.actions.confirming import previewed

    previewed.cancel(job, mode, server, is_agreed=yes)
    jobs.cancel(job, mode, reason, etag, server)


@jobs.command()
@expanded
def pause(*, job: JobArgument, reason: ReasonFlag = "", etag: EtagFlag = "", server: ServerFlags) -> None:
    """Start nothing new; what runs upstream runs on."""
    from headgate_cli.actions import jobs

    jobs.pause(job, reason, etag, server)


@jobs.command()
@expanded
def resume(*, job: JobArgument, etag: EtagFlag = "", server: ServerFlags) -> None:
    """Let a paused job go on."""
    from headgate_cli.actions import jobs

    jobs.resume(job, etag, server)


@jobs.command()
@expanded
def update(*, job: JobArgument, change: ChangeFlags, etag: EtagFlag = "", server: ServerFlags) -> None:
    """Change a job while it goes on; flags that are not given leave it as it is.

    Example:
    headgate jobs update orders-2025 --priority 5 --parallelism 3 --deadline 12h
    """
    from headgate_cli.actions import jobs

    jobs.update(job, change, etag, server)


@jobs.command()
@expanded
def retry(
    *,
    job: JobArgument,
    biz_dates: Annotated[
        list[str], typer.Option(metavar="DATES", help="Only these dates; default: all that did not succeed.")
    ] = [],  # noqa: B006 - Typer copies it
    failed: Annotated[
        bool, typer.Option("--failed", help="Only dates that failed, not those that were stopped or never began.")
    ] = False,
    deadline: Annotated[
        str, typer.Option(metavar="SPAN", help="How long the job may take from now on; default: 7 days.")
    ] = "",
    request_id: Annotated[str, typer.Option(help="Makes it safe to repeat; default: a fresh one.")] = "",
    etag: EtagFlag = "",
    yes: YesFlag = False,
    server: ServerFlags,
) -> None:
    """Run the dates of an ended backfill again that did not succeed, that failed, or that are named.

    Example:
    headgate jobs retry orders-2025 --failed
    headgate jobs retry orders-2025 --biz-dates 2025-02-06
    """
    from headgate_cli.actions.confirming import previewed
    from headgate_cli.actions.confirming import retry as retrying

    choice = retrying.RetryChoice(biz_dates, failed)
    previewed.retry(job, choice, server, is_agreed=yes)
    retrying.retry(job, choice, retrying.RetryFlags(deadline, request_id, etag), server)


@jobs.command()
@expanded
def resolve(
    *,
    job: JobArgument,
    resolution: Annotated[
        str, typer.Argument(metavar="WHAT", help="What happened upstream: Executed, NotExecuted; or Abandon.")
    ],
    operation: Annotated[int, typer.Option(min=0, help="Index of the operation; see headgate jobs get.")] = 0,
    instance_ids: Annotated[
        list[str], typer.Option(metavar="IDS", help="With Executed: the instances that it made.")
    ] = [],  # noqa: B006
    reason: ReasonFlag = "",
    etag: EtagFlag = "",
    server: ServerFlags,
) -> None:
    """Give a job that needs attention the outcome of the call that it could not find out.

    Example:
    headgate jobs resolve orders-2025 Executed --instance-ids 1000341554601,1000341554605
    """
    from headgate_cli.actions import jobs

    jobs.resolve(job, jobs.ResolveFlags(resolution, operation, instance_ids, reason, etag), server)


@expanded
def explain(*, job: JobArgument, server: ServerFlags) -> None:
    """Show why a job is not further than it is.

    Example:
    headgate explain orders-2025
    """
    from headgate_cli.actions import jobs

    jobs.explain(job, server)


@jobs.command()
@expanded
def delete(*, job: JobArgument, etag: EtagFlag = "", yes: YesFlag = False, server: ServerFlags) -> None:
    """Delete an ended job and its log.

    An operator also deletes one that the store can't show any more (JOB_DAMAGED), in whatever state it was.
    """
    from headgate_cli.actions import jobs
    from headgate_cli.actions.confirming import previewed

    previewed.delete(job, server, is_agreed=yes)
    jobs.delete(job, etag, server)


@jobs.command()
@expanded
def count(*, server: ServerFlags) -> None:
    """Count jobs by state."""
    from headgate_cli.actions import jobs

    jobs.count(server)
