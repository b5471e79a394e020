"""Commands that make jobs: create, start, stop, rerun, adhoc, backfill."""

from typing import Annotated

import typer

from headgate_cli.input.flag_groups import expanded
from headgate_cli.input.parameters import ServerFlags, SubmitFlags
from headgate_cli.input.spec_parameters import Comment, CreationFlags, PolicyFlags, RerunFlags, RunFlags, Spec

_IDS = Annotated[list[str], typer.Argument(metavar="ID...", help="Instance ids; comma lists are fine.")]
_IDS_OR_NONE = Annotated[
    list[str] | None, typer.Argument(metavar="[ID...]", help="Instance ids; without any, the flags choose.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(rich_help_panel="Backfills")(backfill)
    for command in (create, start, stop, rerun, adhoc):
        app.command(rich_help_panel="Workflow instances")(command)


@expanded
def backfill(
    *,
    flags: RunFlags,
    policy: PolicyFlags,
    spec: Spec = "",
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would happen, date by date.")] = False,
    plan_token: Annotated[str, typer.Option(help="What --plan gave: do exactly that, or fail.")] = "",
    max_staleness: Annotated[
        str,
        typer.Option(
            metavar="SPAN", help="With --plan: how long ago a date may have been looked up; default 5m, 0s: now."
        ),
    ] = "",
    submission: SubmitFlags,
    server: ServerFlags,
) -> None:
    """Run business dates, each exactly once: create, start, wait for parents, follow to the end.

    Example:
    headgate backfill --project-id 257880 --name orders --biz-dates 2025-02-05..2025-02-06
    --root-task-ids 1023697426 --mode AllDownstream --parallelism 1 --env-type Prod --job-id orders-2025
    --wait
    """
    from headgate_cli.actions import submits

    if plan:
        submits.plan(flags, policy, spec, max_staleness, submission, server)
    else:
        submits.backfill(flags, policy, spec, plan_token, submission, server)


@expanded
def create(
    *, flags: RunFlags, creation: CreationFlags, spec: Spec = "", submission: SubmitFlags, server: ServerFlags
) -> None:
    """Create workflow instances, and by default leave it at that.

    Example:
    headgate create --project-id 257880 --name orders --type SupplementData --biz-dates 2025-02-05
    --root-task-ids 1023697426 --mode AllDownstream --parallelism 1 --env-type Prod
    """
    from headgate_cli.actions import submits

    submits.create(flags, creation, spec, submission, server)


@expanded
def start(*, ids: _IDS, comment: Comment = "", submission: SubmitFlags, server: ServerFlags) -> None:
    """Start workflow instances and follow them.

    Example:
    headgate start 1000341554601 1000341554605 --wait
    """
    from headgate_cli.actions import submits

    submits.start(ids, comment, submission, server)


@expanded
def stop(*, ids: _IDS, comment: Comment = "", submission: SubmitFlags, server: ServerFlags) -> None:
    """Stop workflow instances; the job is done when each was read ended.

    Example:
    headgate stop 1000341554601 --wait
    """
    from headgate_cli.actions import submits

    submits.stop(ids, comment, submission, server)


@expanded
def rerun(
    *, ids: _IDS_OR_NONE = None, flags: RerunFlags, spec: Spec = "", submission: SubmitFlags, server: ServerFlags
) -> None:
    """Rerun instances of a manual workflow (a failed backfill date: headgate jobs retry).

    Example:
    headgate rerun 1000341554601 --project-id 257880 --workflow-id 5188541262300189362
    """
    from headgate_cli.actions import submits

    submits.rerun(ids or [], flags, spec, submission, server)


@expanded
def adhoc(*, spec: Spec = "", submission: SubmitFlags, server: ServerFlags) -> None:
    """Create a temporary workflow instance from the tasks in a file, and run it.

    Example:
    headgate adhoc --spec tasks.json --wait
    """
    from headgate_cli.actions import submits

    submits.adhoc(spec, submission, server)
