"""Filter, sort and page instances the way ListWorkflowInstances and RerunWorkflowInstances do.

Pure. Name is a fuzzy match (SDK 9.11): here a substring, letter case aside.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from headgate_emulator.dataworks.dates import business_date
from headgate_emulator.dataworks.errors import invalid
from headgate_emulator.dataworks.instances import Instance
from headgate_emulator.dataworks.requests import ListWorkflowInstances, RerunWorkflowInstances

T = TypeVar("T")

SortKey = Callable[[T], int]

INSTANCE_KEYS: Mapping[str, SortKey[Instance]] = {
    "Id": lambda one: one.id,
    "CreateTime": lambda one: one.create_time,
    "TriggerTime": lambda one: one.create_time,
    "StartedTime": lambda one: one.run.started_at or 0,
    "FinishedTime": lambda one: one.run.finished_at or 0,
}


@dataclass(frozen=True, slots=True)
class Paged(Generic[T]):
    """One page of a list; `total` counts all pages."""

    number: int
    size: int
    total: int
    rows: tuple[T, ...]


def page(rows: Sequence[T], number: int, size: int) -> Paged[T]:
    """Page `number` (from 1) of `rows`; empty beyond the end."""
    first = (number - 1) * size
    return Paged(number, size, len(rows), tuple(rows[first : first + size]))


def in_order(rows: Iterable[T], sort_by: str | None, keys: Mapping[str, SortKey[T]]) -> list[T]:
    """Sort by `Field` or `Field Asc|Desc`; `Id Desc` by default. Raises ApiError for other words."""
    field, _, direction = (sort_by or "Id Desc").partition(" ")
    if field not in keys or direction not in ("", "Asc", "Desc"):
        raise invalid("SortBy", f"one of {', '.join(keys)}, then Asc or Desc, is expected")
    return sorted(rows, key=keys[field], reverse=direction == "Desc")


def listed(instances: Iterable[Instance], query: ListWorkflowInstances, now: int) -> Paged[Instance]:
    """The page that `query` asks for, of the instances that a list shows at `now`."""
    visible = [one for one in instances if one.visible_at <= now and _matches(one, query)]
    return page(in_order(visible, query.sort_by, INSTANCE_KEYS), query.page_number, query.page_size)


def rerun_targets(instances: Iterable[Instance], query: RerunWorkflowInstances) -> list[Instance]:
    """The ended instances of a manual workflow that `query` selects."""
    return [one for one in instances if one.run.over and _is_target(one, query)]


def same(wanted: object, actual: object) -> bool:
    """Whether an optional equality filter lets `actual` pass."""
    return wanted is None or wanted == actual


def among(wanted: Sequence[int] | None, actual: int) -> bool:
    """Whether an optional list of ids lets `actual` pass; an empty list is no filter."""
    return not wanted or actual in wanted


def fuzzy(wanted: str | None, actual: str) -> bool:
    """Whether an optional fuzzy name lets `actual` pass."""
    return wanted is None or wanted.lower() in actual.lower()


def _matches(one: Instance, query: ListWorkflowInstances) -> bool:
    return all(
        (
            same(query.project_id, one.project_id),
            same(query.biz_date, one.biz_date),
            same(query.env_type, one.env_type),
            same(query.workflow_id, one.workflow_id),
            same(query.unified_workflow_instance_id, one.id),
            same(query.type, one.type),
            same(query.owner, one.owner),
            among(query.ids, one.id),
            fuzzy(query.name, one.name),
            _tagged(query.tags, one),
            _passes(query.filter or {}, one),
        )
    )


def _tagged(wanted: Sequence[str] | None, one: Instance) -> bool:
    """Any of `key:value` or `key:` is enough."""
    if not wanted:
        return True
    keys = {f"{tag.key}:" for tag in one.tags}
    pairs = {f"{tag.key}:{tag.value}" for tag in one.tags}
    return any(text in keys or text in pairs for text in wanted)


def _passes(wanted: Mapping[str, Any], one: Instance) -> bool:
    """`status` (a word or a list of words) and `executionDate`, both ANDed.

    That executionDate is the day of creation, yyyy-mm-dd, is an assumption.
    """
    statuses = wanted.get("status", [])
    words = statuses if isinstance(statuses, list) else [statuses]
    day = str(business_date(one.create_time))
    return (not words or one.status in words) and same(wanted.get("executionDate"), day)


def _is_target(one: Instance, query: RerunWorkflowInstances) -> bool:
    first, last = query.start_trigger_time, query.end_trigger_time
    return all(
        (
            one.type == "ManualWorkflow",
            same(query.project_id, one.project_id),
            same(query.workflow_id, one.workflow_id),
            same(query.env_type, one.env_type),
            same(query.status, one.status),
            same(query.bizdate, one.biz_date),
            among(query.ids, one.id),
            fuzzy(query.name, one.name),
            first is None or one.create_time >= first,
            last is None or one.create_time <= last,
        )
    )
