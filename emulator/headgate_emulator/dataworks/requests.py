"""The parameters of each operation, declared: names, types, what is required.

Upstream names are PascalCase and are derived from ours. Complex parameters arrive as JSON text in one form
field, verbatim, newlines included; scalars as text (`True` from the SDK, `true` from the CLI). Source:
SDK 9.11.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Json, ValidationError
from pydantic.alias_generators import to_pascal

from headgate_emulator.dataworks.dates import business_date, midnight_ms
from headgate_emulator.dataworks.errors import ApiError, invalid, missing
from headgate_emulator.dataworks.instances import InstanceType

MAX_IDS = 1000
MAX_PAGE_SIZE = 500

R = TypeVar("R", bound="Request")


def _biz_date(value: Any) -> Any:
    """Read the eight digits that some callers send instead of milliseconds (public cookbook)."""
    if isinstance(value, str) and re.fullmatch(r"\d{8}", value):
        return midnight_ms(date(int(value[:4]), int(value[4:6]), int(value[6:])))
    return value


Id = Annotated[int, Field(ge=0, lt=2**63)]
Ids = Annotated[list[Id], Field(max_length=MAX_IDS)]
Epoch = Annotated[int, Field(ge=0, lt=2**48)]
BizDate = Annotated[Epoch, BeforeValidator(_biz_date), AfterValidator(lambda ms: midnight_ms(business_date(ms)))]
Env = Literal["Prod", "Dev"]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$")]
Page = Annotated[int, Field(ge=1)]
PageSize = Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)]


class Request(BaseModel):
    """Parameters by their upstream names; unknown ones are ignored, as the gateway does."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, frozen=True, extra="ignore")


class TagParam(Request):
    """A tag to put on the instances."""

    key: str
    value: str = ""


class DateRange(Request):
    """Business dates from one to another, both included."""

    start_biz_date: date
    end_biz_date: date


class Periods(Request):
    """Which dates a backfill covers: at most seven ranges."""

    biz_dates: Annotated[list[DateRange], Field(min_length=1, max_length=7)]
    bizdate_intervals: list[dict[str, str]] | None = None
    start_time: ClockTime | None = None
    end_time: ClockTime | None = None


class Analysis(Request):
    """Whether the backfill is analysed first, and whether a bad result blocks it."""

    enabled: bool
    blocked: bool


class RunProperties(Request):
    """How a backfill runs; at most 500 roots, 2,000 tasks in all (console page)."""

    mode: Literal["General", "ManualSelection", "Chain", "AllDownstream"] = "ManualSelection"
    root_task_ids: Annotated[list[Id], Field(max_length=500)] = []
    include_task_ids: Annotated[list[Id], Field(max_length=2000)] = []
    exclude_task_ids: Annotated[list[Id], Field(max_length=2000)] = []
    parallelism: Annotated[int, Field(ge=1, le=10)] | None = None
    order: Literal["Asc", "Desc"] = "Asc"
    analysis: Analysis | None = None


class CreateWorkflowInstances(Request):
    """Create instances, one for each business date."""

    project_id: Id
    workflow_id: Id
    name: str
    type: Literal["SupplementData", "ManualWorkflow", "Manual", "SmokeTest", "TriggerWorkflow"]
    env_type: Env = "Prod"
    auto_start_enabled: bool | None = None
    periods: Json[Periods] | None = None
    default_run_properties: Json[RunProperties] | None = None
    workflow_parameters: str | None = None
    task_parameters: str | None = None
    tags: Json[list[TagParam]] | None = None


class OperationResult(Request):
    """Ask what became of an operation."""

    operation_id: str


class OnInstances(Request):
    """Start or stop these instances, or do one thing to these task instances."""

    ids: Json[Ids]


class GetInstance(Request):
    """Read one instance."""

    id: Id


class ListWorkflowInstances(Request):
    """List the instances of one business date."""

    project_id: Id
    biz_date: BizDate
    env_type: Env | None = None
    workflow_id: Id | None = None
    unified_workflow_instance_id: Id | None = None
    ids: Json[Ids] | None = None
    name: str | None = None
    owner: str | None = None
    type: InstanceType | None = None
    tags: Json[list[str]] | None = None
    filter: Json[dict[str, Any]] | None = None
    sort_by: str | None = None
    page_number: Page = 1
    page_size: PageSize = 10


class AdhocScript(Request):
    """The code of an ad hoc task."""

    content: str = ""


class AdhocResource(Request):
    """Where an ad hoc task runs."""

    resource_group_id: str


class AdhocTask(Request):
    """One task of an ad hoc workflow."""

    client_unique_code: str
    name: str
    type: str
    owner: str
    runtime_resource: AdhocResource
    script: AdhocScript = AdhocScript()


class ExecuteAdhocWorkflowInstance(Request):
    """Run tasks that belong to no workflow, at once."""

    project_id: Id
    name: str
    owner: str
    env_type: Env = "Prod"
    biz_date: BizDate | None = None
    tasks: Json[Annotated[list[AdhocTask], Field(min_length=1)]]


class RerunFilter(Request):
    """Which tasks a rerun covers; accepted, not acted on."""

    rerun_downstream_enabled: bool | None = None


class RerunWorkflowInstances(Request):
    """Run ended instances of a manual workflow again."""

    project_id: Id
    type: Literal["ManualWorkflow"]
    workflow_id: Id
    env_type: Env | None = None
    ids: Json[Ids] | None = None
    name: str | None = None
    status: str | None = None
    bizdate: BizDate | None = None
    start_trigger_time: Epoch | None = None
    end_trigger_time: Epoch | None = None
    filter: Json[RerunFilter] | None = None


class ListTaskInstances(Request):
    """List the task instances of one business date."""

    project_id: Id
    bizdate: BizDate
    workflow_instance_id: Id | None = None
    unified_workflow_instance_id: Id | None = None
    workflow_id: Id | None = None
    workflow_instance_type: InstanceType | None = None
    project_env: Env | None = None
    id: Id | None = None
    ids: Json[Ids] | None = None
    task_id: Id | None = None
    task_ids: Json[Ids] | None = None
    task_name: str | None = None
    task_type: str | None = None
    status: str | None = None
    trigger_type: Literal["Scheduler", "Manual"] | None = None
    trigger_recurrence: Literal["Pause", "Skip", "Normal"] | None = None
    owner: str | None = None
    runtime_resource: str | None = None
    sort_by: str | None = None
    page_number: Page = 1
    page_size: PageSize = 10


class GetTaskInstanceLog(Request):
    """Read the log of one run of a task instance; the latest run unless `run_number` says otherwise."""

    id: Id
    run_number: Annotated[int, Field(ge=1)] | None = None


def read(model: type[R], params: Mapping[str, str]) -> R:
    """Read `params` as `model`. Raises ApiError: Missing<Param> or InvalidParameter, 400.

    An empty text counts as absent, as the gateway has it.
    """
    try:
        return model.model_validate({key: value for key, value in params.items() if value != ""})
    except ValidationError as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    names = [to_pascal(part) if part.islower() else part for part in first["loc"] if isinstance(part, str)]
    leaf = names[-1] if names else "Parameter"
    return missing(leaf) if first["type"] == "missing" else invalid(".".join(names), first["msg"])
