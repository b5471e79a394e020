"""Flags that say what is to be done, named after DataWorks' own fields."""

from dataclasses import dataclass, field
from typing import Annotated

import typer

Texts = list[str]

Spec = Annotated[
    str,
    typer.Option("--spec", metavar="FILE", help="The whole spec as proto JSON, - for stdin; flags override it."),
]
ProjectId = Annotated[int, typer.Option(help="Workspace id, such as 257880.", show_default=False)]
WorkflowId = Annotated[int, typer.Option(help="Workflow id; none stands for scheduled tasks.", show_default=False)]
Name = Annotated[str, typer.Option(help="DataWorks' name of the instances.")]
EnvType = Annotated[str, typer.Option(help="Prod or Dev.")]
Comment = Annotated[str, typer.Option(help="Why, for DataWorks' records.")]
BizDates = Annotated[
    Texts,
    typer.Option(
        metavar="DATES", help="2025-02-05, or 2025-02-05..2025-02-06 with both ends; comma lists, repeatable."
    ),
]


@dataclass(frozen=True, slots=True)
class RunFlags:
    """What a backfill and a create have in common."""

    project_id: ProjectId = 0
    workflow_id: WorkflowId = 0
    name: Name = ""
    env_type: EnvType = ""
    biz_dates: BizDates = field(default_factory=list)
    root_task_ids: Annotated[
        Texts, typer.Option(metavar="IDS", help="Tasks to start from; comma lists, repeatable.")
    ] = field(default_factory=list)
    include_task_ids: Annotated[Texts, typer.Option(metavar="IDS", help="Tasks to run; comma lists, repeatable.")] = (
        field(default_factory=list)
    )
    exclude_task_ids: Annotated[
        Texts, typer.Option(metavar="IDS", help="Tasks not to run; comma lists, repeatable.")
    ] = field(default_factory=list)
    mode: Annotated[str, typer.Option(help="General, ManualSelection, Chain or AllDownstream.")] = ""
    parallelism: Annotated[
        int, typer.Option(help="Business dates that run side by side, 1 to 10.", show_default=False)
    ] = 0
    order: Annotated[str, typer.Option(help="Asc: oldest date first, the default; or Desc.")] = ""
    comment: Comment = ""


@dataclass(frozen=True, slots=True)
class PolicyFlags:
    """How a backfill behaves."""

    on_failure: Annotated[str, typer.Option(help="What a failed date does to the others: Halt, Continue, Drain.")] = ""
    overlap: Annotated[
        str, typer.Option(help="If another backfill has the same dates: Reject, Join, QueueAfter, Allow.")
    ] = ""
    reprocess: Annotated[str, typer.Option(help="Which dates run: MissingOnly, MissingAndFailed, All.")] = ""
    max_attempts: Annotated[
        int, typer.Option(help="How often a failed date is tried in all, 1 to 10.", show_default=False)
    ] = 0


@dataclass(frozen=True, slots=True)
class CreationFlags:
    """What only a create has."""

    type: Annotated[str, typer.Option(help="SupplementData, ManualWorkflow, Manual, SmokeTest or TriggerWorkflow.")] = (
        ""
    )
    auto_start: Annotated[bool, typer.Option("--auto-start", help="DataWorks starts the instances by itself.")] = False


@dataclass(frozen=True, slots=True)
class RerunFlags:
    """Which instances of a manual workflow run again."""

    project_id: ProjectId = 0
    workflow_id: WorkflowId = 0
    name: Name = ""
    env_type: EnvType = ""
    biz_date: Annotated[str, typer.Option(metavar="DATE", help="Business date of the instances.")] = ""
