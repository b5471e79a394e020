"""How the emulated EnOS behaves where no source says, or where versions differ; and which flows it has."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

GraphForm = Literal["string", "unescaped", "object", "double", "empty", "missing", "broken"]

_STRICT = ConfigDict(extra="forbid")

Seconds = Annotated[float, Field(ge=0, le=10_000_000)]
Hours = Annotated[int, Field(ge=-12, le=14)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTask:
    """A task of a flow. `after` names the tasks that must have ended first."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Annotated[int, Field(ge=1, lt=2**63)]
    name: str
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSpec:
    """A flow. Without `editable`, the user may not cancel its instances (62103)."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Annotated[int, Field(ge=1, lt=2**63)]
    name: str
    tasks: tuple[FlowTask, ...] = ()
    freq: str = "0 0 0 * * ? *"
    cycle: str = "D"
    owner: str = "yourOwners"
    editable: bool = True


SEED_FLOWS = (
    FlowSpec(id=2438, name="rew", freq="0 1/1 * * * ? *", cycle="mi", tasks=(FlowTask(id=104452, name="fr"),)),
    FlowSpec(id=2809, name="21", tasks=(FlowTask(id=104890, name="tass"),)),
)
"""The flows of the samples in seed 004."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRules:
    """Everything that can be changed.

    run_seconds, cancel_seconds: how long a run, and the settling of a cancel, take. search_lag_seconds: how long a
    new instance is missing in searches. token_seconds: life of a token. stale_as_apim: an ended token is answered
    with `apim_status` 4011 instead of code 1203. graph: how the graph is printed; `unescaped` is the invalid JSON
    that seed 004 shows. minute_guard: which triggers of a flow within a minute of another are refused. first_page:
    number of the first page of a search. *_zone_hours: offset from UTC of printed times; seed 004 prints trigger
    times in local time and starts in UTC.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    run_seconds: Seconds = 5.0
    cancel_seconds: Seconds = 1.0
    search_lag_seconds: Seconds = 0.0
    token_seconds: Annotated[int, Field(ge=1, le=10_000_000)] = 7200
    stale_as_apim: bool = False
    graph: GraphForm = "string"
    minute_guard: Literal["from_task", "all", "none"] = "from_task"
    first_page: Literal[0, 1] = 0
    trigger_zone_hours: Hours = 8
    run_zone_hours: Hours = 0
    user_id: str = "yourUserId"
    org_id: str = "yourOrgId"
    do_as: str = "yourDoAs"
    creator: str = "yourCreator"
    flows: tuple[FlowSpec, ...] = SEED_FLOWS
