"""Turn a create request into instances: which dates, which tasks, who waits for whom.

Pure: ids are drawn from the given source, the time is passed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from headgate_emulator.dataworks.dates import business_date, days, midnight_ms
from headgate_emulator.dataworks.errors import ApiError, invalid, missing
from headgate_emulator.dataworks.groups import parents_of
from headgate_emulator.dataworks.ids import IdSource
from headgate_emulator.dataworks.instances import Instance, Scheduled, Tag, TaskInstance, TaskSpec
from headgate_emulator.dataworks.plans import millis
from headgate_emulator.dataworks.requests import (
    CreateWorkflowInstances,
    ExecuteAdhocWorkflowInstance,
    Periods,
    RunProperties,
)
from headgate_emulator.dataworks.rules import Rules

MAX_DATES = 3660
MAX_TASK_INSTANCES = 200_000
SCHEDULED_WORKFLOW = 1

Catalogue = Mapping[int, TaskSpec]


def check_create(request: CreateWorkflowInstances, catalogue: Catalogue, rules: Rules, now: int) -> None:
    """Raise ApiError for what the documentation demands of some types only (seed 001), and for excess."""
    _check_periods(request)
    if request.type == "SupplementData":
        _check_backfill(request.default_run_properties)
    if request.type == "SmokeTest" and rules.require_bizdate_intervals:
        _check_intervals(request.periods)
    tasks = tasks_of(request.default_run_properties or RunProperties(), catalogue)
    if len(dates_of(request, now)) * len(tasks) > MAX_TASK_INSTANCES:
        raise invalid("Periods.BizDates", f"more than {MAX_TASK_INSTANCES} task instances")


def instances_of(
    request: CreateWorkflowInstances, catalogue: Catalogue, rules: Rules, ids: IdSource, now: int
) -> list[Instance]:
    """The instances that `request` makes at `now`, by ascending date, with parents set (seed 000)."""
    properties = request.default_run_properties or RunProperties()
    specs = tasks_of(properties, catalogue)
    auto = rules.auto_start_default if request.auto_start_enabled is None else request.auto_start_enabled
    made = [
        Instance(
            id=ids.instance_id(),
            workflow_id=_reported_workflow(request),
            project_id=request.project_id,
            name=request.name,
            type=request.type,
            env_type=request.env_type,
            biz_date=midnight_ms(day),
            create_time=now,
            modify_time=now,
            create_user=rules.user_id,
            modify_user=rules.user_id,
            visible_at=now + millis(rules.listing_lag_seconds),
            tasks=_number(specs, ids),
            workflow_parameters=request.workflow_parameters,
            tags=tuple(Tag(tag.key, tag.value) for tag in request.tags or ()),
            named=auto,
        )
        for day in dates_of(request, now)
    ]
    return _linked(made, properties, rules)


def adhoc_instance(request: ExecuteAdhocWorkflowInstance, rules: Rules, ids: IdSource, now: int) -> Instance:
    """The one instance of an ad hoc request, not yet begun. Its type and workflow id are assumptions."""
    specs = [
        TaskSpec(id=number, name=task.name, type=task.type, content=task.script.content)
        for number, task in enumerate(request.tasks, start=1)
    ]
    yesterday = business_date(now) - timedelta(days=1)
    return Instance(
        id=ids.instance_id(),
        workflow_id=SCHEDULED_WORKFLOW,
        project_id=request.project_id,
        name=request.name,
        type="Manual",
        env_type=request.env_type,
        biz_date=midnight_ms(yesterday) if request.biz_date is None else _echoed(request.biz_date, rules),
        create_time=now,
        modify_time=now,
        create_user=rules.user_id,
        modify_user=rules.user_id,
        visible_at=now + millis(rules.listing_lag_seconds),
        tasks=_number(specs, ids),
        owner=request.owner,
        named=True,
    )


def _echoed(sent_ms: int, rules: Rules) -> int:
    """The business date that is shown of an ad hoc instance for which one was sent."""
    return sent_ms + rules.adhoc_biz_date_days * 86_400_000


def scheduled_instance(order: Scheduled, catalogue: Catalogue, rules: Rules, ids: IdSource, now: int) -> Instance:
    """The one instance of a schedule, not yet begun."""
    specs = [catalogue.get(task, TaskSpec(id=task, name=f"task_{task}")) for task in order.tasks]
    return Instance(
        id=ids.instance_id(),
        workflow_id=order.workflow_id,
        project_id=order.project_id,
        name=order.name,
        type=order.type,
        env_type=order.env_type,
        biz_date=midnight_ms(order.biz_date),
        create_time=now,
        modify_time=now,
        create_user=rules.user_id,
        modify_user=rules.user_id,
        visible_at=now + millis(rules.listing_lag_seconds),
        tasks=_number(specs, ids),
        named=order.starts,
    )


def dates_of(request: CreateWorkflowInstances, now: int) -> list[date]:
    """The business dates of a request, ascending, each once; yesterday if it names none."""
    if request.periods is None:
        return [business_date(now) - timedelta(days=1)]
    ranges = request.periods.biz_dates
    return sorted({day for one in ranges for day in days(one.start_biz_date, one.end_biz_date)})


def tasks_of(properties: RunProperties, catalogue: Catalogue) -> list[TaskSpec]:
    """The tasks of each instance: roots, then what the mode adds, without the excluded ones."""
    wanted = list(dict.fromkeys([*properties.root_task_ids, *properties.include_task_ids]))
    if properties.mode == "AllDownstream":
        wanted = _with_downstream(wanted, catalogue)
    excluded = set(properties.exclude_task_ids)
    return [catalogue.get(task, TaskSpec(id=task, name=f"task_{task}")) for task in wanted if task not in excluded]


def _check_periods(request: CreateWorkflowInstances) -> None:
    periods = request.periods
    if periods is None:
        if request.type == "SupplementData":
            raise missing("Periods")
        return
    if (periods.start_time is None) != (periods.end_time is None):
        raise missing("EndTime" if periods.end_time is None else "StartTime")
    _check_ranges(periods)


def _check_ranges(periods: Periods) -> None:
    if any(one.start_biz_date > one.end_biz_date for one in periods.biz_dates):
        raise invalid("Periods.BizDates", "StartBizDate is after EndBizDate")
    if sum((one.end_biz_date - one.start_biz_date).days + 1 for one in periods.biz_dates) > MAX_DATES:
        raise invalid("Periods.BizDates", f"more than {MAX_DATES} dates")


def _check_intervals(periods: Periods | None) -> None:
    if periods is None or not periods.bizdate_intervals:
        raise ApiError("InvalidParameter", 400, "BizdateIntervals not set")


def _check_backfill(properties: RunProperties | None) -> None:
    if properties is None:
        raise missing("DefaultRunProperties")
    if properties.parallelism is None:
        raise missing("Parallelism")
    if properties.analysis is None:
        raise missing("Analysis")
    _check_roots(properties)


def _check_roots(properties: RunProperties) -> None:
    if properties.mode == "Chain":
        if properties.root_task_ids or len(properties.include_task_ids) != 2:
            raise invalid("IncludeTaskIds", "mode Chain takes no root and two included tasks")
        return
    if not properties.root_task_ids:
        raise missing("RootTaskIds")
    if properties.mode in ("General", "AllDownstream") and len(properties.root_task_ids) != 1:
        raise invalid("RootTaskIds", f"mode {properties.mode} takes exactly one root")


def _reported_workflow(request: CreateWorkflowInstances) -> int:
    # Seed 000: created with 5188541262300189362, every instance reports 1.
    own = request.type in ("ManualWorkflow", "TriggerWorkflow")
    return request.workflow_id if own else SCHEDULED_WORKFLOW


def _linked(made: list[Instance], properties: RunProperties, rules: Rules) -> list[Instance]:
    order = [one.id for one in made]
    if properties.order == "Desc":
        order.reverse()
    width = properties.parallelism or max(1, len(made))
    parents = parents_of(order, width, rules.topology)
    return [replace(one, parents=parents[one.id]) for one in made]


def _number(specs: Sequence[TaskSpec], ids: IdSource) -> tuple[TaskInstance, ...]:
    return tuple(TaskInstance(ids.task_instance_id(), spec) for spec in specs)


def _with_downstream(roots: list[int], catalogue: Catalogue) -> list[int]:
    found = dict.fromkeys(roots)
    queue = list(roots)
    while queue:
        task = catalogue.get(queue.pop(0))
        new = [one for one in (task.downstream if task else ()) if one not in found]
        found.update(dict.fromkeys(new))
        queue += new
    return list(found)
