"""The argument that names a job, with its completion in a shell."""

from typing import Annotated

import typer


def complete_job(context: typer.Context, incomplete: str) -> list[str]:
    """Return ids of jobs that begin so, for a shell that completes them."""
    from headgate_cli.actions import completion

    return completion.job_ids(incomplete, context.params)


JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="Job id or name, such as orders-2025.", autocompletion=complete_job)
]
