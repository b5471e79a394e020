"""The values that the world owns: instances, their tasks, and the operations that make them."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from headgate_emulator.dataworks.runs import Run
from headgate_emulator.dataworks.statuses import Status

InstanceType = Literal["Normal", "Manual", "SmokeTest", "SupplementData", "ManualWorkflow", "TriggerWorkflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """A task that an instance runs. `downstream` names the tasks that AllDownstream adds after it."""

    id: int
    name: str
    type: str = "ODPS_SQL"
    downstream: tuple[int, ...] = ()
    content: str = ""


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """A task inside one instance: its own id and what it runs."""

    id: int
    spec: TaskSpec


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of an instance."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A workflow instance. Times and `biz_date` are epoch ms; `parents` must end before it may start.

    `named` says that a Start has named it (or that it was created with auto start): it waits in the queue. `paused` are
    ids of task instances that were suspended.
    """

    id: int
    workflow_id: int
    project_id: int
    name: str
    type: InstanceType
    env_type: str
    biz_date: int
    create_time: int
    modify_time: int
    create_user: str
    modify_user: str
    visible_at: int
    tasks: tuple[TaskInstance, ...]
    owner: str | None = None
    workflow_parameters: str | None = None
    tags: tuple[Tag, ...] = ()
    parents: tuple[int, ...] = ()
    named: bool = False
    run: Run = field(default_factory=Run)
    past: tuple[Run, ...] = ()
    paused: frozenset[int] = frozenset()

    @property
    def status(self) -> Status:
        """The status of the latest run."""
        return self.run.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """An instance that upstream makes by itself, as its scheduler does; it begins at once if it `starts`.

    `tasks` are ids; those that the scenario does not know are named after their ids.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    project_id: Annotated[int, Field(ge=1, lt=2**63)]
    name: str
    biz_date: date
    tasks: tuple[int, ...] = ()
    type: InstanceType = "Normal"
    workflow_id: Annotated[int, Field(ge=1, lt=2**63)] = 1
    env_type: Literal["Prod", "Dev"] = "Prod"
    starts: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """What Start, Stop and writes about task instances answer for one id; a success carries no message (seed 000)."""

    success: bool
    message: str | None = None


CreationStatus = Literal["Creating", "Created", "CreateFailure"]
RerunStatus = Literal["NotRun", "Success", "Failure"]


@dataclass(frozen=True, slots=True)
class Creation:
    """What became of a create operation; ids only once it is Created."""

    status: CreationStatus
    instance_ids: tuple[int, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Rerunning:
    """What became of a rerun operation."""

    status: RerunStatus
    failure: str | None = None
