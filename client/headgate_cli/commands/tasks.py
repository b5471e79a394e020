"""Commands about task instances: reads, and writes that make jobs."""

from typing import Annotated

import typer

from headgate_cli.input.flag_groups import expanded
from headgate_cli.input.parameters import ConnectionFlag, ServerFlags, SubmitFlags
from headgate_cli.input.spec_parameters import Comment, EnvType, ProjectId

_TASK_INSTANCE = Annotated[int, typer.Argument(metavar="TASK_INSTANCE", help="Task instance id, see `task list`.")]
_TASK_INSTANCES = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Task instance ids, see `task list`; comma lists are fine.")
]
_WORD = "upstream's own word"

task = typer.Typer(help="DataWorks task instances and their logs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application; `tasks` is an older name of the group."""
    app.add_typer(task, name="task", rich_help_panel="Workflow instances")
    app.add_typer(task, name="tasks", hidden=True)


@task.command("list")
@expanded
def list_tasks(
    *,
    workflow_instance_id: Annotated[
        int, typer.Argument(metavar="[INSTANCE]", help="Workflow instance id; else --project-id and --biz-date.")
    ] = 0,
    project_id: ProjectId = 0,
    biz_date: Annotated[str, typer.Option(metavar="DATE", help="Business date, such as 2025-02-05.")] = "",
    status: Annotated[str, typer.Option(help=f"Only with this status, {_WORD} such as Failure.")] = "",
    name: Annotated[str, typer.Option(help="Only task names that contain this.")] = "",
    type: Annotated[str, typer.Option(help="Only of this type, such as ODPS_SQL.")] = "",
    recurrence: Annotated[str, typer.Option(help="Only Normal, Pause or Skip; Skip finds dry runs.")] = "",
    owner: Annotated[str, typer.Option(help="Only this owner's, an account id.")] = "",
    history_of: Annotated[
        int, typer.Option(metavar="TASK_INSTANCE", help="All runs of this task instance.", show_default=False)
    ] = 0,
    env_type: EnvType = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many rows.")] = 500,
    connection: ConnectionFlag = "",
    server: ServerFlags,
) -> None:
    """List the task instances of a workflow instance, or of a business date, by ascending id.

    Example:
    headgate task list 1000341554601 --status Failure
    """
    from headgate_cli.actions import tasks

    wanted = tasks.TaskListing(
        workflow_instance_id,
        project_id,
        biz_date,
        status,
        name,
        type,
        recurrence,
        owner,
        history_of,
        env_type,
        connection,
    )
    tasks.list_tasks(wanted, limit, server)


@task.command("get")
@expanded
def get(*, id: _TASK_INSTANCE, connection: ConnectionFlag = "", server: ServerFlags) -> None:
    """Read a task instance, field by field; its script too.

    Example:
    headgate task get 1000341554602 --output json
    """
    from headgate_cli.actions import tasks

    tasks.get(id, connection, server)


@task.command("log")
@expanded
def log(
    *,
    id: _TASK_INSTANCE,
    run_number: Annotated[int, typer.Option(help="Which run, from 1; 0: the latest.", show_default=False)] = 0,
    max_length: Annotated[int, typer.Option(help="Most bytes to show; 0 means 64 KiB.", show_default=False)] = 0,
    connection: ConnectionFlag = "",
    server: ServerFlags,
) -> None:
    """Show the end of a task instance's log.

    Example:
    headgate task log 1000341554602 --max-length 4096
    """
    from headgate_cli.actions import tasks

    tasks.log(id, run_number, max_length, connection, server)


@task.command("rerun")
@expanded
def rerun(
    *,
    ids: _TASK_INSTANCES,
    comment: Comment = "",
    use_latest_config: Annotated[
        bool, typer.Option("--use-latest-config", help="Run by what the tasks are configured with now.")
    ] = False,
    submission: SubmitFlags,
    server: ServerFlags,
) -> None:
    """Run task instances again, and follow the new runs to their end.

    Example:
    headgate task rerun 1000341554602 --comment "table is back" --wait
    """
    from headgate_cli.actions import submits

    submits.task_write("rerun", ids, comment, submission, server, use_latest_config=use_latest_config)


@task.command("set-success")
@expanded
def set_success(
    *,
    ids: _TASK_INSTANCES,
    comment: Comment = "",
    submission: SubmitFlags,
    server: ServerFlags,
) -> None:
    """Set failed task instances to success, so that what waits for them runs.

    Example:
    headgate task set-success 1000341554602 --wait
    """
    from headgate_cli.actions import submits

    submits.task_write("set-success", ids, comment, submission, server)


@task.command("stop")
@expanded
def stop(
    *,
    ids: _TASK_INSTANCES,
    comment: Comment = "",
    submission: SubmitFlags,
    server: ServerFlags,
) -> None:
    """Stop task instances; the job is done when each was read ended.

    Example:
    headgate task stop 1000341554602 --wait
    """
    from headgate_cli.actions import submits

    submits.task_write("stop", ids, comment, submission, server)


@task.command("suspend")
@expanded
def suspend(
    *,
    ids: _TASK_INSTANCES,
    comment: Comment = "",
    submission: SubmitFlags,
    server: ServerFlags,
) -> None:
    """Suspend task instances: upstream does not run them until they are resumed.

    Example:
    headgate task suspend 1000341554602
    """
    from headgate_cli.actions import submits

    submits.task_write("suspend", ids, comment, submission, server)


@task.command("resume")
@expanded
def resume(
    *,
    ids: _TASK_INSTANCES,
    comment: Comment = "",
    submission: SubmitFlags,
    server: ServerFlags,
) -> None:
    """Resume task instances that were suspended.

    Example:
    headgate task resume 1000341554602
    """
    from headgate_cli.actions import submits

    submits.task_write("resume", ids, comment, submission, server)
